//! Scenarios: whole stories on a network, named as facts.
//!
//! They run on whatever server `POCKET_IC_BIN` names; none may depend on which one it is.

// Outside of a test function too, a panic is the report here.
#![allow(clippy::unwrap_used)]

mod bad_network;
mod bricked_patients;
mod compressed_restore;
mod damaged_backups;
mod direct_interrupted;
mod ended_otherwise;
mod faulty_server;
mod full_heaps;
mod healed_heaps;
mod help_examples;
mod icp_flow;
mod icp_snapshots;
mod identities;
mod interrupted_restores;
mod kept_heaps;
mod killed_anywhere;
mod large_memory;
mod local_network;
mod project_scripts;
mod real_images;
mod refused_arguments;
mod refused_strangers;
mod rescue_access;
mod rescue_bounds;
mod rescue_cases;
mod rescue_dashboard;
mod rescue_faults;
mod rescue_large_memory;
mod rescue_proof;
mod rescue_random_faults;
mod rescue_upgraded_in_mid_case;
mod rescue_wide_heaps;
mod torn_backups;
mod without_rescue;
mod wrong_module_hash;

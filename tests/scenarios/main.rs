//! Scenarios: whole stories on a network, named as facts.
//!
//! They run on whatever server `POCKET_IC_BIN` names; none may depend on which one it is.

mod bad_network;
mod bricked_patients;
mod compressed_restore;
mod full_heaps;
mod icp_snapshots;
mod kept_heaps;
mod real_images;
mod refused_arguments;
mod refused_strangers;
mod rescue_cases;
mod rescue_upgraded_in_mid_case;
mod without_rescue;
mod wrong_module_hash;

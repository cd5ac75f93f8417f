//! The harness of the scenarios and the demo.
//!
//! [`World`] is a network with an operator, [`ledger`] a patient with its own methods, [`rescue`] and [`cli`]
//! the two ways to treat it, [`pair`] the modules alone, [`icp`] the tool beside ours, [`proxy`] and [`faults`]
//! the bad network in between, [`tap`] a line that is listened to, [`delay`] one that is long. The same code
//! runs on whichever server
//! `POCKET_IC_BIN` names; nothing here knows which one that is.

// A scenario that cannot go on reports by panicking, like the tests it serves.
#![allow(clippy::unwrap_used)]

pub mod browser;
pub mod cli;
pub mod delay;
pub mod faults;
pub mod flow;
pub mod forwarder;
pub mod hoard;
pub mod icp;
pub mod identity;
pub mod images;
pub mod kills;
pub mod known;
pub mod large;
pub mod ledger;
pub mod living;
pub mod pair;
pub mod proxy;
pub mod rescue;
pub mod tap;
pub mod tiny;
pub mod trapping;
pub mod wasms;
pub mod watch;
mod world;

pub use world::{World, sha256};

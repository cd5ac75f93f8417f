//! The harness of the scenarios and the demo.
//!
//! [`World`] is a network with an operator, [`ledger`] a patient with its own methods, [`rescue`] and [`cli`]
//! the two ways to treat it, [`pair`] the modules alone, [`icp`] the tool beside ours, [`proxy`] the bad network in
//! between. The same code runs on whichever server
//! `POCKET_IC_BIN` names; nothing here knows which one that is.

// A scenario that cannot go on reports by panicking, like the tests it serves.
#![allow(clippy::unwrap_used)]

pub mod cli;
pub mod flow;
pub mod icp;
pub mod identity;
pub mod images;
pub mod ledger;
pub mod pair;
pub mod proxy;
pub mod rescue;
pub mod wasms;
mod world;

pub use world::{World, sha256};

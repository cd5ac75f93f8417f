//! All that is kept, in stable structures. Nothing of it lives in the heap, so an upgrade at any point
//! loses nothing and needs no `pre_upgrade`.

pub mod cases;
pub mod counters;
pub mod digests;
pub mod journal;
pub mod modules;
pub mod settings;
pub mod versioned;

//! What a real PocketIC server was observed to do, fact by fact.
//!
//! One file a topic, one test a fact, written once against the `pocket-ic` client. The tests run on whatever server
//! `POCKET_IC_BIN` names: by default the stand-in built from `replica/`, just as well a real one. They never ask the
//! user which one it is: `lab::server` finds out by what the server itself answers, and where a rule changed over time
//! a test asserts the one that server follows.
//!
//! Every operation a test makes is written down with its outcome (`lab::transcript`). The transcripts of the stand-in
//! are kept in `tests/golden/observed/` and compared on every run (`BLESS=1` writes them anew); those of another server
//! are compared with them by `cargo xtask transcript`.

#![allow(clippy::unwrap_used, reason = "a panic of a test is its report")]

#[macro_use]
mod lab;
mod modules;

mod clients_and_rest;
mod hot_patch;
mod install_repetition;
mod instructions_and_cycles;
mod kept_heap;
mod management_calls;
mod open_calls;
mod queries_discard;
mod size_limits;
mod snapshots;
mod trapping_hook;

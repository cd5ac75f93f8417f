//! Facts about the writing half of the pair, and about what no argument can do to either module,
//! tested on the built modules.

// Outside of a test function too, a panic is the report here.
#![allow(clippy::unwrap_used)]

// The reads' tests use all of it.
#[allow(dead_code)]
#[path = "../../../downloader/tests/facts/harness.rs"]
mod harness;

mod compressed;
mod fuzz;
mod heap_kept;
mod model;
mod updates;
mod writes;

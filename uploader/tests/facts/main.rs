//! Facts about the writing half of the pair, and about what no argument can do to either module,
//! tested on the built modules.

// Outside of a test function too, a panic is the report here.
#![allow(clippy::unwrap_used)]

// The reads' tests use all of it.
#[allow(dead_code)]
#[path = "../../../downloader/tests/facts/harness.rs"]
mod harness;

#[path = "../../../wire/tests/fuzz/arguments.rs"]
mod arguments;
// The campaign uses all of it.
#[allow(dead_code)]
#[path = "../../../wire/tests/fuzz/campaign.rs"]
mod campaign;
#[path = "../fuzz/data.rs"]
mod data;
#[path = "../../../wire/tests/fuzz/dice.rs"]
mod dice;
#[path = "../../../wire/tests/fuzz/exactly.rs"]
mod exactly;
#[path = "../fuzz/model.rs"]
mod model;

mod compressed;
mod fuzz;
mod heap_kept;
mod updates;
mod writes;

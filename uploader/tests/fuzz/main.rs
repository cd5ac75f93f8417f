//! Random messages by the million: no argument bytes do anything but what the model does.
//!
//! Every test runs a few seconds; `PAIR_FUZZ_CASES` makes a campaign of it (`campaign.rs`).

// Outside of a test function too, a panic is the report here.
#![allow(clippy::unwrap_used)]

#[path = "../../../wire/tests/fuzz/arguments.rs"]
mod arguments;
#[path = "../../../wire/tests/fuzz/campaign.rs"]
mod campaign;
#[path = "../../../wire/tests/fuzz/dice.rs"]
mod dice;
#[path = "../../../wire/tests/fuzz/exactly.rs"]
mod exactly;

mod blocks;
mod checksums;
mod data;
mod machine;
mod messages;
mod model;

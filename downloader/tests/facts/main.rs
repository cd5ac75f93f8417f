//! Facts about the reading half of the pair, tested on the built modules.

// Outside of a test function too, a panic is the report here.
#![allow(clippy::unwrap_used)]

mod checksums;
mod costs;
mod harness;
mod reads;
mod refusals;

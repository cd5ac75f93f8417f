//! Facts about the reading half of the pair, tested on the built modules.

mod checksums;
mod costs;
mod harness;
mod reads;
mod refusals;

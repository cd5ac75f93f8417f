//! `modules`: what this canister is made of.

use rescue_api::{ModuleInfo, Modules};

use crate::pair::{self, Width};
use crate::view;

/// Version and embedded pair.
pub fn modules() -> Modules {
    Modules {
        version: env!("CARGO_PKG_VERSION").to_string(),
        pair: pair::ALL
            .into_iter()
            .map(|(module, width)| ModuleInfo {
                module: view::pair(module),
                memory64: width == Width::Bits64,
                module_hash: view::hash(pair::hash(module, width)),
                size_bytes: pair::bytes(module, width).len() as u64,
            })
            .collect(),
    }
}

//! `modules`: what this canister is made of.

use rescue_api::{ModuleInfo, Modules};

use crate::case::model::Pair;
use crate::pair;
use crate::view;

/// Version and embedded pair.
pub fn modules() -> Modules {
    Modules {
        version: env!("CARGO_PKG_VERSION").to_string(),
        pair: [Pair::Downloader, Pair::Uploader]
            .into_iter()
            .map(|module| ModuleInfo {
                module: view::pair(module),
                module_hash: view::hash(pair::hash(module)),
                size_bytes: pair::bytes(module).len() as u64,
            })
            .collect(),
    }
}

//! A patient whose stable memory is known to the byte, and what of it has reached a disk or a canister.

use crate::cli::Cli;
use crate::rescue::Rescue;
use crate::{World, wasms};
use candid::Principal;
use pocket_ic::common::rest::BlobCompression;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use std::collections::BTreeSet;
use std::path::Path;
use wire::limits::CHUNK_LEN_BYTES;

/// A patient in the care of a rescue canister.
pub struct Known<'a> {
    world: &'a World,
    /// The patient.
    pub canister: Principal,
    /// The rescue canister that controls it.
    pub rescue: Rescue,
    /// Its stable memory.
    pub stable: Vec<u8>,
}

impl<'a> Known<'a> {
    /// A patient that holds `stable`, controlled by `rescue`.
    pub fn new(world: &'a World, rescue: Rescue, stable: Vec<u8>) -> Known<'a> {
        let arg = candid::encode_args(()).unwrap();
        let canister = world.install(wasms::load("patients/ledger_hook_panics"), arg);
        world
            .pic
            .set_stable_memory(canister, stable.clone(), BlobCompression::NoCompression);
        rescue.take_control_of(world, canister);
        Known {
            world,
            canister,
            rescue,
            stable,
        }
    }

    /// `ic-rescue backup` over `network` into `directory`, a few requests at a time.
    pub fn backup(&self, network: &str, directory: &Path) -> Cli {
        let canister = self.canister.to_text();
        let args = [
            &"backup" as &dyn AsRef<std::ffi::OsStr>,
            &canister,
            &"--output",
            &directory,
            &"--workers",
            &"2",
            &"--rescue",
            &self.rescue.canister.to_text(),
        ];
        Cli::over(self.world, network, &args)
    }

    /// `ic-rescue restore` of `directory` over `network`, with `more` options.
    pub fn restore(&self, network: &str, directory: &Path, more: &[&str]) -> Cli {
        let canister = self.canister.to_text();
        let rescue = self.rescue.canister.to_text();
        let mut args: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![
            &"restore",
            &directory,
            &canister,
            &"--workers",
            &"2",
            &"--rescue",
            &rescue,
        ];
        args.extend(more.iter().map(|arg| arg as &dyn AsRef<std::ffi::OsStr>));
        Cli::over(self.world, network, &args)
    }

    /// The chunks of `memory` that are those of the patient's stable memory as it was at first.
    pub fn right_chunks(&self, memory: &[u8]) -> BTreeSet<u64> {
        let chunks = |bytes| <[u8]>::chunks(bytes, CHUNK_LEN_BYTES as usize);
        (0..)
            .zip(chunks(&self.stable).zip(chunks(memory)))
            .filter(|(_, (wanted, found))| wanted == found)
            .map(|(index, _)| index)
            .collect()
    }
}

/// A memory of `chunks` chunks: noise, every third chunk zeros, every fifth half zeros; whole pages, the last
/// chunk cut short.
pub fn image(seed: u64, chunks: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let chunk_len_bytes = CHUNK_LEN_BYTES as usize;
    let mut image = vec![0; chunks as usize * chunk_len_bytes];
    for (index, chunk) in image.chunks_mut(chunk_len_bytes).enumerate() {
        match index {
            index if index % 3 == 2 => {}
            index if index % 5 == 1 => random.fill_bytes(&mut chunk[..chunk_len_bytes / 2]),
            _ => random.fill_bytes(chunk),
        }
        if index % 3 != 2 {
            chunk[0] = random.random_range(1..=255);
        }
    }
    image.truncate(image.len() - 3 * wire::limits::PAGE_LEN_BYTES as usize);
    image
}

//! Random bytes of a backup are changed: `ic-rescue verify` names the file, `--repair` mends it with the help of
//! the network. The library's tests do the same two thousand times over, without a network.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::fs;
use std::path::{Path, PathBuf};
use tests::World;
use tests::cli::Cli;
use tests::flow::Flow;
use tests::ledger::{Ledger, varied_entries};

/// Decides where the damage is.
const SEED: u64 = 71;
/// Changed bytes in each file.
const CHANGES_PER_FILE: u64 = 2;

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn a_changed_byte_in_any_file_is_named_and_repaired_from_the_network() {
    let world = World::new();
    let entries = varied_entries(SEED, 300_000);
    let ledger = Ledger::bricked(&world, &entries, "patients/ledger_hook_panics");
    let flow = Flow::begin(&world, ledger.canister);
    flow.backup();
    let directory = flow.directory();
    let verify = Cli::offline(&[&"verify", &directory]);
    let repair = Cli::new(&world, &[&"verify", &directory, &"--repair"]);
    let files = files_below(directory);
    assert!(files.len() >= 12, "{files:?}");

    let mut random = StdRng::seed_from_u64(SEED);
    for file in &files {
        let whole = fs::read(file).unwrap();
        let name = file.strip_prefix(directory).unwrap().display().to_string();
        for _ in 0..if whole.is_empty() {
            0
        } else {
            CHANGES_PER_FILE
        } {
            let mut damaged = fs::read(file).unwrap();
            let at = random.random_range(0..damaged.len());
            damaged[at] ^= random.random_range(1..=255);
            fs::write(file, &damaged).unwrap();
            let story = format!("seed {SEED}: byte {at} of {name}");

            let report = verify.fail();
            assert!(report.contains(&name), "{story} is not named:\n{report}");
            repair.succeed();
            verify.succeed();
            // A certificate is made anew: it has another time and signature, and proves the same.
            let is_new = name.ends_with("certificate.cbor")
                || name.ends_with("manifest.json")
                || name.ends_with("manifest.copy.json")
                || name.ends_with("SHA256SUMS");
            assert!(is_new || fs::read(file).unwrap() == whole, "{story}");
        }
    }
}

#[test]
fn proof_that_is_gone_altogether_is_made_anew() {
    let world = World::new();
    let entries = varied_entries(SEED, 300_000);
    let ledger = Ledger::bricked(&world, &entries, "patients/ledger_hook_panics");
    let flow = Flow::begin(&world, ledger.canister);
    flow.backup();
    let directory = flow.directory();
    fs::remove_dir_all(directory.join("ic-rescue/certified")).unwrap();
    fs::remove_file(directory.join("wasm_module.bin")).unwrap();
    fs::remove_file(directory.join("ic-rescue/stable_memory.sha256")).unwrap();

    // Without an identity nothing of it can be had, and that is said.
    let report = Cli::offline(&[&"verify", &directory, &"--repair"]).fail();
    assert!(report.contains("certificate.cbor"), "{report}");
    Cli::new(&world, &[&"verify", &directory, &"--repair"]).succeed();
    let report = Cli::offline(&[&"verify", &directory]).succeed();
    assert!(report.contains("are certified"), "{report}");
}

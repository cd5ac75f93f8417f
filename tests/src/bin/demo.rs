//! `cargo xtask demo`: a canister is broken and rescued before the reader's eyes.
//!
//! Every step goes through the same doors a user has: the network, the rescue canister, the CLI, and the
//! patient's own methods. It ends with exit code 0 only if every check held; a check that fails panics.

// A demo that cannot go on reports by panicking: the message is the explanation.
#![allow(clippy::unwrap_used)]

use std::time::Instant;
use tests::flow::Flow;
use tests::ledger::{Ledger, demo_entries};
use tests::{World, sha256, wasms};

fn main() {
    let started = Instant::now();
    let mut story = Story::default();

    story.step("A local network, and a canister with something to lose");
    let world = World::new();
    let entries = demo_entries();
    let ledger = Ledger::install(&world);
    ledger.fill(&world, &entries);
    let before = ledger.record(&world);
    story.tell(&format!("network    {}", world.url()));
    story.tell(&format!("ledger     {}", ledger.canister));
    story.tell(&format!(
        "its state  {} entries, {} accounts, digest {:016x}",
        before.entries.len(),
        before.balances.len(),
        before.digest
    ));

    story.step("An upgrade whose pre_upgrade hook traps goes live");
    world
        .upgrade(ledger.canister, wasms::load("patients/ledger_hook_panics"))
        .unwrap();
    let broken = world.module_hash(ledger.canister).unwrap();
    story.tell(&format!("module     {}", hex::encode(&broken)));

    story.step("From now on every upgrade fails: the canister is bricked");
    let fixed = wasms::load("patients/ledger_fixed");
    let refusal = world.upgrade(ledger.canister, fixed.clone()).unwrap_err();
    for line in refusal.reject_message.lines().take(3) {
        story.tell(line);
    }
    assert_eq!(world.module_hash(ledger.canister).as_ref(), Some(&broken));

    story.step("Rescue is installed and made a controller of the patient");
    let flow = Flow::begin(&world, ledger.canister).narrated();
    story.tell(&format!("rescue     {}", flow.rescue().canister));

    story.step("ic-rescue backup: stop, snapshot, swap the downloader in, checksums, download");
    flow.backup();
    story.step("ic-rescue verify: every byte on disk against the checksums");
    flow.verify();
    let backup = Backup::read(&flow);

    story.step(
        "The uploader is reinstalled over the patient: stable memory is wiped, then restored",
    );
    flow.wipe_and_restore();

    story.step("The fixed module is installed through the rescue canister");
    flow.install("patients/ledger_fixed");
    assert_eq!(world.module_hash(ledger.canister), Some(sha256(&fixed)));
    assert_eq!(ledger.build(&world), "fixed");

    story.step("Was anything lost? The ledger's own methods answer");
    let after = ledger.record(&world);
    assert_eq!(after, before, "the ledger does not tell the same as before");
    story.tell(&format!(
        "{} entries, {} accounts, digest {:016x}: all as before",
        after.entries.len(),
        after.balances.len(),
        after.digest
    ));
    world.upgrade(ledger.canister, fixed.clone()).unwrap();
    assert_eq!(ledger.record(&world), before);
    story.tell("and a normal upgrade works again");

    println!("\nSummary");
    println!("  bytes rescued        {}", backup.size_bytes);
    println!(
        "  chunks               {} of {} bytes",
        backup.chunks, backup.chunk_len_bytes
    );
    println!("  checksums verified   {}", backup.checksums_verified);
    println!("  memory root          {}", backup.root);
    println!("  broken module        {}", hex::encode(&broken));
    println!(
        "  downloader           {}",
        hex::encode(sha256(&wasms::load("downloader")))
    );
    println!(
        "  uploader             {}",
        hex::encode(sha256(&wasms::load("uploader")))
    );
    println!("  fixed module         {}", hex::encode(sha256(&fixed)));
    println!(
        "  time                 {:.1} s",
        started.elapsed().as_secs_f64()
    );
    println!("\nEvery check held.");
}

/// Numbers the steps and indents what happens in them.
#[derive(Default)]
struct Story {
    steps: u32,
}

impl Story {
    fn step(&mut self, title: &str) {
        self.steps += 1;
        println!("\n{}. {title}", self.steps);
    }

    fn tell(&self, line: &str) {
        println!("   {line}");
    }
}

/// What the backup's manifest says, with the checksums counted by checking them once more.
struct Backup {
    size_bytes: u64,
    chunk_len_bytes: u64,
    chunks: usize,
    checksums_verified: usize,
    root: String,
}

impl Backup {
    fn read(flow: &Flow<'_>) -> Backup {
        let manifest = std::fs::read(flow.directory().join("ic-rescue/manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let chunk_len_bytes = manifest["chunk_len_bytes"].as_u64().unwrap();
        let memories = manifest["memories"].as_array().unwrap();
        let (mut size_bytes, mut chunks, mut checksums_verified) = (0, 0, 0);
        let mut root = String::new();
        for memory in memories {
            let file = |key: &str| flow.directory().join(memory[key].as_str().unwrap());
            let image = std::fs::read(file("file")).unwrap();
            let digests = std::fs::read(file("digests")).unwrap();
            size_bytes += image.len() as u64;
            for (chunk, digest) in image
                .chunks(chunk_len_bytes as usize)
                .zip(digests.chunks(32))
            {
                assert_eq!(sha256(chunk), digest);
                checksums_verified += 1;
            }
            chunks += digests.len() / 32;
            if memory["memory"] == "stable" {
                root = memory["root"].as_str().unwrap().to_string();
            }
        }
        assert_eq!(chunks, checksums_verified);
        Backup {
            size_bytes,
            chunk_len_bytes,
            chunks,
            checksums_verified,
            root,
        }
    }
}

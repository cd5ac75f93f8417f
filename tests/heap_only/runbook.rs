//! The runbook does what it says: its commands are taken from the document and run, block by block.
//!
//! A fenced block that begins with a line of three backticks, `sh` and a name is run in the world of that name,
//! after the earlier blocks of the same name. A command outside such a block, or in a world that is not set up
//! here, fails the test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::cli::binary;
use tests::hoard::{Hoard, Hook, Place};
use tests::ledger::{Ledger, varied_entries};
use tests::rescue::Rescue;
use tests::{World, wasms};

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/RUNBOOK.md");
    std::fs::read_to_string(path).unwrap()
}

/// The blocks of each world, in order; panics over a command that belongs to none.
fn blocks(document: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut open: Option<(String, String)> = None;
    for line in document.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some((info.to_string(), String::new())),
            (Some(_), Some((info, text))) => {
                match info.strip_prefix("sh ") {
                    Some(world) => found
                        .entry(world.to_string())
                        .or_default()
                        .push(std::mem::take(text)),
                    None => assert!(
                        !text.lines().any(|line| line.starts_with("ic-rescue ")),
                        "these commands have no world to run in:\n{text}"
                    ),
                }
                open = None;
            }
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

/// A patient with a rescue canister and the files that the document speaks of.
struct Stage {
    world: World,
    patient: candid::Principal,
    rescue: Rescue,
}

impl Stage {
    fn set(world: World, patient: candid::Principal, deployed: &str, fixed: &str) -> Stage {
        let rescue = Rescue::install(&world);
        rescue.take_control_of(&world, patient);
        let folder = world.folder.path();
        std::fs::write(folder.join("deployed.wasm"), wasms::load(deployed)).unwrap();
        std::fs::write(folder.join("fixed.wasm"), wasms::load(fixed)).unwrap();
        Stage {
            world,
            patient,
            rescue,
        }
    }

    fn hoard(hook: Hook) -> (Stage, Hoard) {
        let world = World::new();
        let hoard = Hoard::broken(&world, hook, Place::heap);
        let deployed = "patients/hoard";
        let stage = Stage::set(world, hoard.canister, deployed, "patients/hoard_fixed");
        (stage, hoard)
    }

    fn ledger() -> (Stage, Ledger) {
        let world = World::new();
        let broken = "patients/ledger_hook_panics";
        let ledger = Ledger::bricked(&world, &varied_entries(5, 100_000), broken);
        let stage = Stage::set(world, ledger.canister, broken, "patients/ledger_fixed");
        (stage, ledger)
    }

    /// Runs a block as a user's shell would.
    fn run(&self, block: &str, more: &[(&str, &str)]) -> String {
        let programs: PathBuf = binary().parent().unwrap().to_path_buf();
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-eu", "-c", block])
            .current_dir(self.world.folder.path())
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("PATIENT", self.patient.to_text())
            .env("IC_RESCUE_CANISTER", self.rescue.canister.to_text())
            .env("IC_RESCUE_IDENTITY", &self.world.operator.pem_file)
            .env("IC_RESCUE_NETWORK", self.world.url())
            .envs(more.iter().copied())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{block}\n{said}");
        said
    }
}

#[test]
fn every_command_of_the_runbook_works() {
    let mut blocks = blocks(&document());
    let mut take = |world: &str| blocks.remove(world).unwrap_or_default();

    let (stage, ledger) = Stage::ledger();
    let before = ledger.record(&stage.world);
    for block in take("stable") {
        stage.run(&block, &[]);
    }
    assert_eq!(ledger.build(&stage.world), "fixed");
    assert_eq!(ledger.record(&stage.world), before);

    let (stage, ledger) = Stage::ledger();
    let before = ledger.record(&stage.world);
    for block in take("back") {
        stage.run(&block, &[]);
    }
    assert_eq!(ledger.build(&stage.world), "hook-panics");
    assert_eq!(ledger.record(&stage.world), before);

    for (name, hook, build) in [
        ("look", Hook::not_grown, "first"),
        ("not-to-blame", Hook::works, "first"),
        ("many-sections", Hook::panics, "first"),
        ("not-grown", Hook::not_grown, "fixed"),
        ("guided", Hook::forbidden, "fixed"),
        ("limits", Hook::forbidden, "fixed"),
        ("living", Hook::panics, "first"),
        ("living-by-snapshot", Hook::panics, "first"),
        ("living-by-rescue", Hook::panics, "first"),
    ] {
        let (stage, hoard) = Stage::hoard(hook);
        let before = hoard.holdings(&stage.world);
        for block in take(name) {
            stage.run(&block, &[]);
        }
        assert_eq!(hoard.build(&stage.world), build, "{name}");
        assert_eq!(hoard.holdings(&stage.world), before, "{name}");
    }

    let (stage, hoard) = Stage::hoard(Hook::panics);
    let before = hoard.holdings(&stage.world);
    let module = stage.world.module_hash(stage.patient);
    for block in take("back-by-snapshot") {
        let (hotfix, rest) = block.split_once('\n').unwrap();
        let said = stage.run(hotfix, &[]);
        assert_ne!(stage.world.module_hash(stage.patient), module);
        let snapshot = said.split("took snapshot ").nth(1).unwrap();
        let snapshot = snapshot.split(':').next().unwrap();
        stage.run(rest, &[("SNAPSHOT", snapshot)]);
    }
    assert_eq!(stage.world.module_hash(stage.patient), module);
    assert_eq!(hoard.holdings(&stage.world), before);

    assert!(
        blocks.is_empty(),
        "worlds that are not set up: {:?}",
        blocks.keys()
    );
}

#[test]
fn every_command_in_the_text_is_one_of_those_that_are_run() {
    let document = document();
    let run: Vec<String> = blocks(&document).into_values().flatten().collect();
    let run: Vec<&str> = run.iter().flat_map(|block| block.lines()).collect();
    // Between backticks in a line of text, a command may leave words out, and names stand for what is put there.
    let is_said = |line: &str, word: &str| {
        let named = word.chars().all(|c| c.is_uppercase() || c == '_');
        word == "…" || named || line.split_whitespace().any(|there| there == word)
    };
    let mut found = 0;
    for text in document
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
    {
        if !text.starts_with("ic-rescue ") {
            continue;
        }
        found += 1;
        let said = |line: &&&str| text.split_whitespace().all(|word| is_said(line, word));
        assert!(
            run.iter().any(|line| said(&line)),
            "`{text}` is run nowhere"
        );
    }
    assert!(found > 0, "the text names commands");
}

#[test]
fn every_verb_for_heaps_is_in_the_runbook() {
    let document = document();
    for verb in [
        "patch",
        "layout",
        "hotfix",
        "grow-stable",
        "heal",
        "call",
        "run",
        "rollback",
        "restore",
    ] {
        assert!(document.contains(&format!("\nic-rescue {verb} ")), "{verb}");
    }
}

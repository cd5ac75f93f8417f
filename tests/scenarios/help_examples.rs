//! The examples in the help are commands that work: each is run as it stands, on a bricked canister, with its ids in
//! place of those of the example. What the verbs say about a canister is held by snapshots.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tests::ledger::{Ledger, varied_entries};
use tests::rescue::Rescue;
use tests::{World, cli, wasms};

const BROKEN: &str = "patients/ledger_hook_panics";
/// The ids in the examples.
const CANISTER: &str = "bkyz2-fmaaa-aaaaa-qaaaq-cai";
const RESCUE: &str = "bd3sg-teaaa-aaaaa-qaaba-cai";
const SNAPSHOT: &str = "0000000000000000ffffffffff9000010101";

/// A folder with what the examples name.
struct Desk<'a> {
    world: &'a World,
    folder: PathBuf,
    canister: String,
    rescue: String,
}

impl<'a> Desk<'a> {
    fn new(world: &'a World, name: &str, ledger: Ledger, rescue: Rescue) -> Desk<'a> {
        let folder = world.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::copy(&world.operator.pem_file, folder.join("me.pem")).unwrap();
        let fixed = wasms::load("patients/ledger_fixed");
        fs::write(folder.join("fixed.wasm"), fixed).unwrap();
        Desk {
            world,
            folder,
            canister: ledger.canister.to_text(),
            rescue: rescue.canister.to_text(),
        }
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(cli::binary())
            .args(args)
            .current_dir(&self.folder)
            .env_clear()
            .env("COLUMNS", "250")
            .env("IC_RESCUE_NETWORK", self.world.url())
            .output()
            .unwrap()
    }

    /// Runs every example in the help of a verb; returns what they said.
    fn examples(&self, verb: &str) -> String {
        let help: Vec<&str> = verb.split(' ').chain(["--help"]).collect();
        let help = String::from_utf8(self.run(&help).stdout).unwrap();
        let start = format!("  ic-rescue {verb}");
        let lines: Vec<&str> = help
            .lines()
            .filter(|line| line.starts_with(&start))
            .collect();
        assert!(!lines.is_empty(), "{verb} has no example:\n{help}");
        lines.iter().map(|line| self.example(line)).collect()
    }

    fn example(&self, line: &str) -> String {
        let mut line = line
            .replace(CANISTER, &self.canister)
            .replace(RESCUE, &self.rescue);
        if line.contains(SNAPSHOT) {
            line = line.replace(SNAPSHOT, &self.oldest_snapshot());
        }
        let args: Vec<&str> = line.split_whitespace().skip(1).collect();
        let output = self.run(&args);
        let said = String::from_utf8([output.stderr, output.stdout].concat()).unwrap();
        assert!(output.status.success(), "{line}: {said}");
        said
    }

    fn oldest_snapshot(&self) -> String {
        let list = [
            "snapshot",
            "list",
            &self.canister,
            "--identity",
            "me.pem",
            "--json",
        ];
        let said = String::from_utf8(self.run(&list).stdout).unwrap();
        let first: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
        first["snapshot"].as_str().unwrap().to_string()
    }

    fn copy(&self, from: &str, to: &str) {
        copy_tree(&self.folder.join(from), &self.folder.join(to));
    }

    /// What was said, without what differs from run to run.
    fn steady(&self, said: &str) -> String {
        let said = said
            .replace(&self.canister, "CANISTER")
            .replace(&self.rescue, "RESCUE")
            .replace(&self.world.operator.principal.to_text(), "ME");
        // Numbers and hashes change with every build of the patient.
        let masked = said.lines().map(|line| {
            let words = line.split_inclusive(' ').map(|word| {
                let text = word.trim_end();
                let hash = text.len() >= 20 && text.chars().all(|c| c.is_ascii_hexdigit());
                if hash || text.chars().any(|c| c.is_ascii_digit()) {
                    word.replace(text, "…")
                } else {
                    word.to_string()
                }
            });
            words.collect::<String>() + "\n"
        });
        masked.collect()
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_tree(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn the_examples_in_the_help_rescue_a_canister() {
    let world = World::new();
    let ledger = Ledger::bricked(&world, &varied_entries(71, 1_200_000), BROKEN);
    let record = ledger.record(&world);
    let rescue = Rescue::install(&world);
    rescue.take_control_of(&world, ledger.canister);
    let desk = Desk::new(&world, "desk", ledger, rescue);

    insta::assert_snapshot!("diagnose", desk.steady(&desk.examples("diagnose")));
    insta::assert_snapshot!("plan", desk.steady(&desk.examples("plan")));
    desk.examples("backup");
    for copy in ["copy-of-backup", "backup-monday", "backup-tuesday"] {
        desk.copy("backup", copy);
    }
    for verb in ["verify", "diff", "attest"] {
        desk.examples(verb);
    }
    let status = desk.steady(&desk.examples("status"));
    // The journal names times and instructions; the case itself is what is held.
    let case: String = status.split_inclusive('\n').take(6).collect();
    insta::assert_snapshot!("status", case);
    desk.examples("restore");
    desk.examples("install");
    assert_eq!(ledger.record(&world), record);
    desk.examples("close");

    desk.examples("snapshot create");
    fs::remove_dir_all(desk.folder.join("backup")).unwrap();
    for verb in ["list", "download", "upload", "restore", "delete"] {
        desk.examples(&format!("snapshot {verb}"));
    }
    desk.examples("snapshot");
    assert_eq!(ledger.record(&world), record);
    for verb in ["completions", "man"] {
        desk.examples(verb);
    }
}

#[test]
fn the_example_of_rollback_gives_the_canister_back() {
    let world = World::new();
    let ledger = Ledger::bricked(&world, &varied_entries(72, 600_000), BROKEN);
    let (record, module) = (ledger.record(&world), world.module_hash(ledger.canister));
    let rescue = Rescue::install(&world);
    rescue.take_control_of(&world, ledger.canister);
    let desk = Desk::new(&world, "desk", ledger, rescue);
    desk.examples("backup");
    desk.examples("rollback");
    assert_eq!(world.module_hash(ledger.canister), module);
    assert_eq!(ledger.record(&world), record);
}

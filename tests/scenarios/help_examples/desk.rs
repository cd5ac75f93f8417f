//! A folder with what the examples name, in which they are run as a user's shell would run them. The ids of the
//! examples are replaced by those of a canister that is there; a port by one that is free.

use candid::Principal;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tests::rescue::Rescue;
use tests::{World, cli, wasms};

/// What the examples name, each with what stands for it here.
const CANISTER: &str = "bkyz2-fmaaa-aaaaa-qaaaq-cai";
const RESCUE: &str = "bd3sg-teaaa-aaaaa-qaaba-cai";
const SNAPSHOT: &str = "0000000000000000ffffffffff9000010101";
const PORT: &str = "--port 8000";
const SERVER: &str = "pocket-ic-server";

/// Lines that come or not, as busy as the machine is.
const PASSING: [&str; 3] = ["waiting (", "still running", "calls had to be repeated"];

/// The folder.
pub struct Desk<'a> {
    world: &'a World,
    folder: PathBuf,
    canister: String,
    rescue: String,
    /// Verbs whose examples were run.
    ran: RefCell<BTreeSet<String>>,
}

impl<'a> Desk<'a> {
    /// With the operator's identity and the modules `files`: name of the file, name of the build.
    pub fn new(
        world: &'a World,
        canister: Principal,
        rescue: Rescue,
        files: &[(&str, &str)],
    ) -> Desk<'a> {
        let folder = world.folder.path().join("desk");
        fs::create_dir(&folder).unwrap();
        fs::copy(&world.operator.pem_file, folder.join("me.pem")).unwrap();
        for (name, build) in files {
            fs::write(folder.join(name), wasms::load(build)).unwrap();
        }
        let server = cli::binary().with_file_name(SERVER);
        std::os::unix::fs::symlink(server, folder.join(SERVER)).unwrap();
        Desk {
            world,
            folder,
            canister: canister.to_text(),
            rescue: rescue.canister.to_text(),
            ran: RefCell::default(),
        }
    }

    /// The same folder, about another canister.
    pub fn turn_to(&mut self, canister: Principal) {
        self.canister = canister.to_text();
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Copies a folder.
    pub fn copy(&self, from: &str, to: &str) {
        copy_tree(&self.folder.join(from), &self.folder.join(to));
    }

    /// Insists that the examples of exactly these verbs were run.
    pub fn assert_ran(&self, verbs: &[&str]) {
        let expected: BTreeSet<String> = verbs.iter().map(|verb| verb.to_string()).collect();
        assert_eq!(*self.ran.borrow(), expected);
    }

    /// Runs every example in the help of a verb; returns what they said, without what differs from run to run.
    pub fn examples(&self, verb: &str) -> String {
        self.ran.borrow_mut().insert(verb.to_string());
        self.prepare(verb)
    }

    /// As [`Desk::examples`], for a verb that only sets the stage.
    pub fn prepare(&self, verb: &str) -> String {
        let examples = self.take(verb);
        let said: String = examples.iter().map(|line| self.example(line)).collect();
        self.steady(&said)
    }

    /// As [`Desk::examples`], for a verb that runs until it is interrupted: once it says that it is ready.
    pub fn interrupted_examples(&self, verb: &str) -> String {
        self.ran.borrow_mut().insert(verb.to_string());
        let examples = self.take(verb);
        let said: String = examples.iter().map(|line| self.interrupted(line)).collect();
        self.steady(&said)
    }

    /// The examples in the help of a verb, with what is here in place of what they name.
    fn take(&self, verb: &str) -> Vec<String> {
        let help = self
            .shell(&format!("ic-rescue {verb} --help"))
            .output()
            .unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let start = format!("ic-rescue {verb}");
        let examples: Vec<String> = help
            .lines()
            .filter_map(|line| line.strip_prefix("  "))
            .filter(|line| line.starts_with(&start))
            .map(|line| self.with_what_is_here(line))
            .collect();
        assert!(!examples.is_empty(), "{verb} has no example:\n{help}");
        examples
    }

    fn with_what_is_here(&self, line: &str) -> String {
        let line = line
            .replace(CANISTER, &self.canister)
            .replace(RESCUE, &self.rescue)
            .replace(PORT, "--port 0");
        if line.contains(SNAPSHOT) {
            return line.replace(SNAPSHOT, &self.oldest_snapshot());
        }
        line
    }

    fn example(&self, line: &str) -> String {
        let output = self.shell(line).output().unwrap();
        let said = text(&output);
        assert!(output.status.success(), "{line}: {said}");
        said
    }

    fn interrupted(&self, line: &str) -> String {
        let child = self
            .shell(line)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut child = Running(child);
        let stderr = child.0.stderr.take().unwrap();
        let mut said = String::new();
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            said += &format!("{line}\n");
            if line.contains("Ctrl-C") {
                let id = child.0.id().to_string();
                let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
                assert!(sent.success());
            }
        }
        let status = child.0.wait().unwrap();
        assert!(status.success(), "{line}: {status}: {said}");
        said
    }

    /// A command line, run where the examples are at home. The shell gives way to the program.
    fn shell(&self, line: &str) -> Command {
        let programs = cli::binary().parent().unwrap().to_path_buf();
        let mut command = Command::new("/bin/sh");
        command
            .args(["-euc", &format!("exec {line}")])
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", programs)
            .env("COLUMNS", "250")
            .env("IC_RESCUE_NETWORK", self.world.url());
        command
    }

    fn oldest_snapshot(&self) -> String {
        let list = format!(
            "ic-rescue snapshot list {} --identity me.pem --json",
            self.canister
        );
        let said = String::from_utf8(self.shell(&list).output().unwrap().stdout).unwrap();
        let first: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
        first["snapshot"].as_str().unwrap().to_string()
    }

    /// What was said, without what differs from run to run.
    fn steady(&self, said: &str) -> String {
        let said = said
            .replace(&self.canister, "CANISTER")
            .replace(&self.rescue, "RESCUE")
            .replace(&self.world.operator.principal.to_text(), "ME");
        let lines = said
            .lines()
            .filter(|line| !PASSING.iter().any(|passing| line.contains(passing)));
        lines.map(|line| masked(line) + "\n").collect()
    }
}

/// A line without numbers and hashes, which change with every build of the patient.
fn masked(line: &str) -> String {
    let words = line.split_inclusive(' ').map(|word| {
        let text = word.trim_end();
        let hash = text.len() >= 20 && text.chars().all(|c| c.is_ascii_hexdigit());
        if hash || text.chars().any(|c| c.is_ascii_digit()) {
            word.replace(text, "…")
        } else {
            word.to_string()
        }
    });
    words.collect()
}

fn text(output: &Output) -> String {
    let said = [&output.stderr[..], &output.stdout[..]].concat();
    String::from_utf8(said).unwrap()
}

/// A program that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
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

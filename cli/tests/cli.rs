//! The program as a user or a script sees it: text, JSON, exit codes. Needs no network.

#![allow(clippy::unwrap_used)] // a panic is the report

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Every verb of the program.
fn verbs() -> Vec<String> {
    let command = <ic_rescue::args::Args as clap::CommandFactory>::command();
    let names = command.get_subcommands().map(|verb| verb.get_name());
    names.map(str::to_string).collect()
}

fn run(args: &[&str]) -> Output {
    run_in(Path::new("."), args)
}

fn run_in(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ic-rescue"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("COLUMNS", "250")
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A copy of the golden backup, to be damaged.
fn backup() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/v1");
    let copy = dir.path().join("backup");
    copy_tree(&golden, &copy);
    let name = copy.display().to_string();
    (dir, name)
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

fn flip(directory: &str, file: &str, at: usize) {
    let path = PathBuf::from(directory).join(file);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn every_verb_has_help_with_an_example() {
    for path in paths() {
        let output = run(&help_of(&path));
        assert_eq!(code(&output), 0, "{path:?}");
        let help = text(&output.stdout);
        let example = format!("Example:\n  ic-rescue {}", path.join(" "));
        assert!(help.contains(&example), "{path:?}:\n{help}");
    }
}

/// Every verb, and every verb below one, as it is typed.
fn paths() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let command = <ic_rescue::args::Args as clap::CommandFactory>::command();
    for verb in command.get_subcommands() {
        let name = verb.get_name().to_string();
        found.push(vec![name.clone()]);
        let below = verb.get_subcommands().map(|below| below.get_name());
        found.extend(below.map(|below| vec![name.clone(), below.to_string()]));
    }
    found
}

fn help_of(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).chain(["--help"]).collect()
}

#[test]
fn completions_and_man_page_name_every_verb() {
    for args in [
        ["completions", "bash"],
        ["completions", "zsh"],
        ["man", "--quiet"],
    ] {
        let output = run(&args);
        assert_eq!(code(&output), 0);
        let written = text(&output.stdout).replace('\\', "");
        assert!(
            verbs().iter().all(|verb| written.contains(verb)),
            "{args:?}"
        );
    }
}

#[test]
fn every_verb_is_documented() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/CLI.md");
    let docs = fs::read_to_string(docs).unwrap();
    let help = text(&run(&["--help"]).stdout);
    for verb in verbs() {
        assert!(docs.contains(&format!("| `{verb}` |")), "{verb}");
        assert!(help.contains(&format!("  {verb} ")), "{verb}:\n{help}");
    }
}

#[test]
fn a_sound_backup_is_verified() {
    let (_dir, directory) = backup();
    let output = run(&["verify", &directory]);
    assert_eq!(code(&output), 0);
    assert_eq!(text(&output.stdout), "", "human text goes to stderr");
    let stderr = text(&output.stderr).replace(&directory, "DIR");
    insta::assert_snapshot!("sound_backup", stderr);
    let output = run(&["verify", &directory, "--quiet"]);
    assert_eq!((code(&output), text(&output.stderr)), (0, String::new()));
}

#[test]
fn damage_is_reported_with_exit_code_3() {
    let (_dir, directory) = backup();
    flip(&directory, "stable_memory.bin", 5000);
    flip(&directory, "metadata.json", 20);
    let output = run(&["verify", &directory]);
    assert_eq!(code(&output), 3);
    insta::assert_snapshot!(
        "damaged_backup",
        text(&output.stderr).replace(&directory, "DIR")
    );
    let output = run(&["verify", &directory, "--json", "--quiet"]);
    assert_eq!(code(&output), 3);
    assert_eq!(text(&output.stderr), "");
    insta::assert_snapshot!(
        "damaged_backup_json",
        text(&output.stdout).replace(&directory, "DIR")
    );
}

#[test]
fn damage_is_repaired_from_a_copy() {
    let (_copy_dir, copy) = backup();
    let (_dir, directory) = backup();
    for (file, at) in [
        ("stable_memory.bin", 5000),
        ("wasm_memory.bin", 1),
        ("wasm_module.bin", 9),
        ("metadata.json", 20),
        ("ic-rescue/manifest.json", 40),
        ("ic-rescue/wasm_memory.sha256", 40),
        ("ic-rescue/certified/roots.cbor", 3),
    ] {
        flip(&directory, file, at);
        let output = run(&["verify", &directory, "--repair", "--from", &copy]);
        assert_eq!(code(&output), 0, "{file}: {}", text(&output.stderr));
        let good = fs::read(Path::new(&copy).join(file)).unwrap();
        assert!(
            fs::read(Path::new(&directory).join(file)).unwrap() == good,
            "{file}"
        );
    }
}

#[test]
fn two_backups_are_compared() {
    let (_dir, directory) = backup();
    let (_copy_dir, copy) = backup();
    assert_eq!(code(&run(&["diff", &directory, &copy])), 0);
    // A foreign snapshot directory is hashed as it is.
    fs::remove_dir_all(Path::new(&copy).join("ic-rescue")).unwrap();
    let output = run(&["diff", &copy, &copy, "--json"]);
    assert_eq!(code(&output), 0);
    assert!(text(&output.stdout).contains(r#""chunks_different":0"#));
}

#[test]
fn each_kind_of_failure_has_its_exit_code() {
    let (dir, directory) = backup();
    let missing = dir.path().join("missing").display().to_string();
    let empty = dir.path().display().to_string();
    let canister = "lxzze-o7777-77777-aaaaa-cai";
    let other = "aaaaa-aa";
    for (expected, args) in [
        (2, vec!["frobnicate"]),
        (2, vec!["verify"]),
        (2, vec!["verify", &directory, "--workers", "65"]),
        (2, vec!["backup", "not a principal", "-o", &directory]),
        (2, vec!["backup", canister, "-o", &directory]),
        (
            2,
            vec![
                "status",
                canister,
                "--network",
                "mainet",
                "--identity",
                "anonymous",
            ],
        ),
        (
            1,
            vec![
                "status",
                canister,
                "--identity",
                &missing,
                "--rescue",
                other,
            ],
        ),
        (8, vec!["verify", &missing]),
        (1, vec!["restore", &empty, canister]),
        (
            5,
            vec![
                "status",
                canister,
                "--rescue",
                other,
                "--identity",
                "anonymous",
                "--network",
                "http://127.0.0.1:1",
            ],
        ),
    ] {
        let output = run(&args);
        assert_eq!(
            code(&output),
            expected,
            "{args:?}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn nothing_secret_is_ever_printed() {
    const KEY: &str = "MC4CAQAwBQYDK2VwBCIEIHnlENEbSzKtcxP4Sw7QPl3L2PI2yAzZJkZj4mI0F7RM";
    const PASSWORD: &str = "correct horse battery staple";
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let plain = put(
        "plain.pem",
        &format!("-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\n"),
    );
    let torn = put(
        "torn.pem",
        &format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            &KEY[..40]
        ),
    );
    let locked = put(
        "locked.pem",
        &format!(
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{KEY}\n-----END ENCRYPTED PRIVATE KEY-----\n"
        ),
    );
    let password = put("password", PASSWORD);
    let canister = "lxzze-o7777-77777-aaaaa-cai";
    for identity in [&plain, &torn, &locked, &password] {
        for verb in ["status", "diagnose", "plan"] {
            let output = run(&[
                verb,
                canister,
                "--rescue",
                canister,
                "--network",
                "http://127.0.0.1:1",
                "--identity",
                identity,
                "--password-file",
                &password,
                "--json",
                "--verbose",
            ]);
            assert_ne!(code(&output), 0);
            let said = text(&output.stdout) + &text(&output.stderr);
            for secret in [KEY, &KEY[..20], &KEY[24..40], PASSWORD] {
                assert!(!said.contains(secret), "{verb} {identity}: {said}");
            }
        }
    }
}

#[test]
fn help_is_as_it_was() {
    let all: String = paths()
        .iter()
        .filter(|path| path[0] == "snapshot" || HELD.contains(&path[0].as_str()))
        .map(|path| {
            format!(
                "== {}\n{}\n",
                path.join(" "),
                text(&run(&help_of(path)).stdout)
            )
        })
        .collect();
    insta::assert_snapshot!("help", all);
}

/// Verbs whose help is held by a snapshot.
const HELD: [&str; 5] = ["backup", "diagnose", "restore", "status", "verify"];

#[test]
fn errors_name_the_thing_the_place_and_the_next_move() {
    let (dir, directory) = backup();
    let canister = "lxzze-o7777-77777-aaaaa-cai";
    let home = dir.path().display().to_string();
    let missing = dir.path().join("missing.pem").display().to_string();
    let mut all = String::new();
    for args in [
        vec![
            "status",
            canister,
            "--network",
            "mainet",
            "--identity",
            "anonymous",
        ],
        vec!["status", canister, "--identity", "nobody"],
        vec!["status", canister, "--identity", &missing],
        vec!["status", "wallet", "--identity", "anonymous"],
        vec![
            "status",
            "wallet",
            "--network",
            "https://example.com",
            "--identity",
            "anonymous",
        ],
        vec![
            "status",
            canister,
            "--root-key",
            "xyz",
            "--identity",
            "anonymous",
        ],
        vec![
            "backup",
            canister,
            "-o",
            "new",
            "--identity",
            "anonymous",
            "--network",
            "http://127.0.0.1:1",
        ],
        vec![
            "backup",
            "aaaaa-aa",
            "-o",
            &directory,
            "--identity",
            "anonymous",
        ],
        vec!["restore", "nowhere", canister],
        vec!["snapshot", "download", canister, "xyz", "-o", "new"],
        vec!["snapshot", "upload", "nowhere", canister],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_ic-rescue"))
            .args(&args)
            .current_dir(dir.path())
            .env_clear()
            .env("COLUMNS", "250")
            .env("HOME", &home)
            .output()
            .unwrap();
        let said = text(&output.stderr).replace(&home, "HOME");
        all += &format!(
            "$ {}\n{said}exit code {}\n\n",
            args.join(" ").replace(&home, "HOME"),
            code(&output)
        );
    }
    insta::assert_snapshot!("errors", all);
}

#[test]
fn a_directory_in_use_has_exit_code_7() {
    let (_dir, directory) = backup();
    let _held = archive::Exclusive::existing(Path::new(&directory)).unwrap();
    let output = run(&["verify", &directory, "--json"]);
    assert_eq!(code(&output), 7);
    let last = text(&output.stdout);
    assert!(
        last.starts_with(r#"{"type":"error","code":7,"kind":"locked","message":"#),
        "{last}"
    );
}

#[test]
fn a_damaged_backup_is_not_restored() {
    let (_dir, directory) = backup();
    flip(&directory, "stable_memory.bin", 100);
    let args = [
        "restore",
        &directory,
        "lxzze-o7777-77777-aaaaa-cai",
        "--dry-run",
    ];
    let output = run(&args);
    assert_eq!(code(&output), 3, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("nothing was sent"));
}

#[test]
fn a_dry_run_needs_no_network() {
    let (_dir, directory) = backup();
    let args = [
        "restore",
        &directory,
        "lxzze-o7777-77777-aaaaa-cai",
        "--dry-run",
    ];
    let output = run(&args);
    assert_eq!(code(&output), 0);
    insta::assert_snapshot!("dry_run", text(&output.stderr).replace(&directory, "DIR"));
}

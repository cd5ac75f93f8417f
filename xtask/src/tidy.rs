//! House rules that the compiler does not know, held by tests.

use crate::cargo::root;
use std::path::{Path, PathBuf};

/// The longest a source file may be, with the tests inside it.
const SOURCE_LINES_MAX: usize = 700;
/// The longest a file of tests alone may be.
const TEST_LINES_MAX: usize = 1_000;

/// Every Rust file of the workspace.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 100, "only {} sources found", found.len());
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

fn expect_none(offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{}", offenders.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let silent = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let first = text
            .lines()
            .find(|line| !line.trim().is_empty() && !line.starts_with("#!["));
        !first.is_some_and(|line| line.starts_with("//!"))
    };
    expect_none(
        sources()
            .iter()
            .filter(|path| silent(path))
            .map(|path| shown(path))
            .collect(),
    );
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let long = |path: &PathBuf| {
        let lines = std::fs::read_to_string(path).unwrap().lines().count();
        let is_test = path.components().any(|part| part.as_os_str() == "tests");
        let lines_max = if is_test {
            TEST_LINES_MAX
        } else {
            SOURCE_LINES_MAX
        };
        (lines > lines_max).then(|| format!("{}: {lines} lines", shown(path)))
    };
    expect_none(sources().iter().filter_map(long).collect());
}

#[test]
fn no_canister_of_ours_has_a_pre_upgrade_hook() {
    let attribute = concat!("#[ic_cdk::", "pre_upgrade]");
    let export = concat!("canister_", "pre_upgrade\"");
    let ours = ["downloader", "uploader", "rescue"].map(|folder| root().join(folder));
    let hooked = |path: &&PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        ours.iter()
            .any(|folder| path.starts_with(folder.join("src")))
            && (text.contains(attribute) || text.contains(export))
    };
    expect_none(
        sources()
            .iter()
            .filter(hooked)
            .map(|path| shown(path))
            .collect(),
    );
}

#[test]
fn unsafe_code_stays_in_its_rooms() {
    let allowed = "#![allow(unsafe_code)]";
    let unsafe_word = concat!("unsafe", " {");
    let stray = |path: &&PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        text.contains(unsafe_word) && !text.contains(allowed)
    };
    expect_none(
        sources()
            .iter()
            .filter(stray)
            .map(|path| shown(path))
            .collect(),
    );
}

/// The workspace crates that the crate in `folder` uses outside its tests.
fn dependencies(folder: &str) -> Vec<String> {
    let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    section
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(String::from)
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    assert_eq!(
        dependencies("wire"),
        Vec::<String>::new(),
        "wire depends on nothing"
    );
    assert_eq!(dependencies("downloader"), ["wire"]);
    let ours = [
        "wire",
        "downloader",
        "uploader",
        "rescue",
        "rescue-api",
        "archive",
        "engine",
        "offline",
        "replica",
        "surgery",
        "ic-rescue",
        "tests",
        "xtask",
    ];
    let allowed: [(&str, &[&str]); 10] = [
        ("uploader", &["wire", "downloader"]),
        ("rescue/api", &[]),
        ("rescue", &["wire", "rescue-api"]),
        ("archive", &["wire"]),
        ("engine", &["wire"]),
        ("offline", &["archive", "engine"]),
        ("replica", &["wire", "engine"]),
        ("surgery", &[]),
        (
            "cli",
            &[
                "wire",
                "archive",
                "engine",
                "offline",
                "rescue-api",
                "surgery",
            ],
        ),
        ("xtask", &["wire"]),
    ];
    let mut offenders = Vec::new();
    for (folder, may_use) in allowed {
        for name in dependencies(folder) {
            if ours.contains(&name.as_str()) && !may_use.contains(&name.as_str()) {
                offenders.push(format!("{folder} uses {name}"));
            }
        }
    }
    for folder in ["archive", "engine", "offline", "surgery"] {
        for name in dependencies(folder) {
            if ["tokio", "reqwest", "axum", "ic-agent", "indicatif", "clap"]
                .contains(&name.as_str())
            {
                offenders.push(format!("{folder} uses {name}"));
            }
        }
    }
    expect_none(offenders);
}

#[test]
fn only_one_file_of_the_cli_speaks_to_the_network() {
    let speaker = root().join("cli/src/agent.rs");
    let speaks = |path: &&PathBuf| {
        path.starts_with(root().join("cli/src"))
            && **path != speaker
            && std::fs::read_to_string(path)
                .unwrap()
                .contains("Agent::builder")
    };
    expect_none(
        sources()
            .iter()
            .filter(speaks)
            .map(|path| shown(path))
            .collect(),
    );
}

//! `cargo xtask transcript`: what the server that `POCKET_IC_BIN` names answers, against what the stand-in answers.
//!
//! Runs the observations (`tests/observed/`) on that server with their recorder on, then prints, operation by
//! operation, where its transcripts differ from those kept of the stand-in. Without `POCKET_IC_BIN` the server is the
//! stand-in itself and nothing may differ. It changes no file outside of `target/transcripts/`.

use crate::{cargo, wasm};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Records and compares; fails when an observation did not hold.
pub fn run() -> Result<()> {
    wasm::build_all()?;
    cargo::build_host()?;
    let recorded = cargo::target_dir().join("transcripts");
    if recorded.exists() {
        std::fs::remove_dir_all(&recorded)
            .with_context(|| format!("could not empty {}", recorded.display()))?;
    }
    let mut tests = cargo::host_cargo();
    tests.args(["test", "--workspace", "--test", "observed"]);
    tests.env("IC_RESCUE_TRANSCRIPTS", &recorded);
    cargo::scenario_environment(&mut tests);
    let outcome = cargo::run(&mut tests, "the observations");

    let kept = cargo::root().join("tests/golden/observed");
    let mut names = transcripts(&kept)?;
    names.extend(transcripts(&recorded)?);
    if names.is_empty() {
        bail!("no transcripts in {}", kept.display());
    }
    let mut differing = 0;
    for name in &names {
        let difference = diff(&read(&kept.join(name)), &read(&recorded.join(name)));
        if difference.is_empty() {
            continue;
        }
        differing += 1;
        println!("{}", name.display());
        for line in difference {
            println!("  {line}");
        }
    }
    println!(
        "{differing} of {} transcripts differ (- the stand-in, + this server)",
        names.len()
    );
    outcome
}

/// The transcripts below a folder, by their relative paths.
fn transcripts(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let topics = std::fs::read_dir(folder)
        .with_context(|| format!("could not list the transcripts in {}", folder.display()))?;
    for topic in topics {
        for file in std::fs::read_dir(topic?.path())? {
            let path = file?.path();
            found.insert(path.strip_prefix(folder)?.to_path_buf());
        }
    }
    Ok(found)
}

/// A missing transcript is one without lines.
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The lines that only one of two texts has, in order, marked `-` and `+`.
fn diff(old: &str, new: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // common[i][j]: length of the longest common subsequence of old[i..] and new[j..].
    let mut common = vec![vec![0usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = match old[i] == new[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            lines.push(format!("- {}", old[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", new[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn a_difference_holds_the_lines_of_one_side_only() {
        assert!(diff("a\nb\n", "a\nb\n").is_empty());
        assert_eq!(diff("a\nb\nc\n", "a\nx\nc\nd\n"), ["- b", "+ x", "+ d"]);
        assert_eq!(diff("", "a\n"), ["+ a"]);
    }
}

//! What was done and what came of it, one operation a line, with everything masked that differs from run to run.

use super::server::Server;
use std::path::{Path, PathBuf};

/// Bytes of a message id in a text: `0x` and 64 hex digits.
const MESSAGE_ID_LEN: usize = 66;

/// The operations of one test.
#[derive(Debug, Default)]
pub struct Transcript {
    lines: Vec<String>,
    names: Vec<(String, String)>,
}

impl Transcript {
    /// Shows `name` wherever `id` stands in a line to come.
    pub fn name(&mut self, id: String, name: String) {
        self.names.push((id, name));
    }

    /// Adds an operation with its outcome.
    pub fn add(&mut self, operation: &str, outcome: &str) {
        let line = self.mask(&format!("{operation} → {outcome}"));
        self.lines.push(line);
    }

    /// A text with names for ids, and without places in sources, which every edit moves.
    pub fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for (id, name) in &self.names {
            masked = masked.replace(id, name);
        }
        mask_places(&mask_message_ids(&masked))
    }

    /// Writes the transcript where `IC_RESCUE_TRANSCRIPTS` says; compares that of the stand-in with the kept one.
    pub fn settle(&self, server: Server, topic: &str, fact: &str) {
        let text = format!("{}\n", self.lines.join("\n"));
        if let Some(folder) = std::env::var_os("IC_RESCUE_TRANSCRIPTS") {
            write(&file(Path::new(&folder), topic, fact), &text);
            return;
        }
        if !server.is_stand_in {
            return;
        }
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/observed");
        let path = file(&golden, topic, fact);
        if std::env::var_os("BLESS").is_some() {
            write(&path, &text);
            return;
        }
        let kept = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; write it with BLESS=1", path.display()));
        for (number, (line, kept)) in text.lines().zip(kept.lines()).enumerate() {
            assert_eq!(line, kept, "line {} of {}", number + 1, path.display());
        }
        assert_eq!(text.lines().count(), kept.lines().count(), "lines");
    }
}

fn file(folder: &Path, topic: &str, fact: &str) -> PathBuf {
    folder.join(topic).join(format!("{fact}.txt"))
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn mask_message_ids(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("0x") {
        let (before, from) = rest.split_at(at);
        masked.push_str(before);
        let is_id = from.len() >= MESSAGE_ID_LEN
            && from.as_bytes()[2..MESSAGE_ID_LEN]
                .iter()
                .all(u8::is_ascii_hexdigit);
        let taken = if is_id { MESSAGE_ID_LEN } else { 2 };
        masked.push_str(if is_id { "<message>" } else { "0x" });
        rest = &from[taken..];
    }
    masked.push_str(rest);
    masked
}

/// `hooks.rs:17:5` becomes `hooks.rs:<place>`.
fn mask_places(text: &str) -> String {
    const SOURCE: &str = ".rs:";
    let mut masked = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(SOURCE) {
        let (before, from) = rest.split_at(at + SOURCE.len());
        masked.push_str(before);
        rest = from.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == ':');
        if rest.len() < from.len() {
            masked.push_str("<place>");
        }
    }
    masked.push_str(rest);
    masked
}

//! Reports of the verbs that run a canister's code off chain. [`crate::output::Event`] carries them.

use crate::output::human_bytes;
use offline::rehearse::{Compared, Stage};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Something that code did off chain.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OfflineEvent {
    /// A hook ran to its end.
    Ran {
        /// The export that ran.
        entry: String,
        /// Instructions it used.
        instructions: u64,
        /// Stable memory before and after, bytes.
        stable_bytes: [u64; 2],
        /// Heap before and after, bytes.
        heap_bytes: [u64; 2],
        /// Relaxed rules that made a difference, and how often.
        rules_used: BTreeMap<String, u64>,
    },
    /// A new backup directory was written.
    Saved {
        /// The directory.
        directory: String,
        /// Root of its stable memory.
        stable_root: Option<String>,
        /// Root of its heap.
        heap_root: Option<String>,
        /// Whether it can be uploaded and loaded as a canister snapshot.
        loadable_as_snapshot: bool,
    },
    /// A method answered.
    Answered {
        /// The method.
        method: String,
        /// `query`, `update` or `composite_query`.
        kind: &'static str,
        /// Instructions it used.
        instructions: u64,
        /// Length of the reply.
        reply_bytes: u64,
        /// The reply: values as JSON, or candid text or hexadecimal digits as asked for; null when it
        /// went to a file.
        reply: serde_json::Value,
        /// The file it went to.
        file: Option<String>,
    },
    /// One stage of a rehearsed upgrade.
    Stage {
        /// `first` or `second`.
        upgrade: &'static str,
        /// What ran.
        entry: String,
        /// Instructions it used.
        instructions: u64,
        /// Instructions left of the upgrade's budget.
        instructions_left: u64,
        /// Heap afterwards, bytes.
        heap_bytes: u64,
        /// Stable memory afterwards, bytes.
        stable_bytes: u64,
        /// Why it failed.
        failure: Option<String>,
    },
    /// The answers to one check.
    Checked {
        /// The method.
        method: String,
        /// Its argument, candid text.
        argument: String,
        /// Whether all answers are equal and none is an error.
        equal: bool,
        /// The answer before, candid text, or why there is none.
        before: String,
        /// The answers after the first and the second upgrade.
        after: Vec<String>,
    },
    /// What it would take for a hook to end that fails.
    Prognosis(Box<crate::ways::Report>),
    /// A rehearsal is over.
    Rehearsed {
        /// Whether both upgrades would pass and all checks answer the same.
        passes: bool,
        /// The verdict in words.
        verdict: String,
    },
}

impl From<&Stage> for OfflineEvent {
    fn from(stage: &Stage) -> Self {
        Self::Stage {
            upgrade: stage.upgrade,
            entry: stage.name.clone(),
            instructions: stage.instructions,
            instructions_left: stage.left,
            heap_bytes: stage.heap_bytes,
            stable_bytes: stage.stable_bytes,
            failure: stage.failure.clone(),
        }
    }
}

impl From<&Compared> for OfflineEvent {
    fn from(compared: &Compared) -> Self {
        let words = |answer: &Result<String, String>| match answer {
            Ok(text) => text.clone(),
            Err(error) => format!("error: {error}"),
        };
        Self::Checked {
            method: compared.check.method.clone(),
            argument: compared.check.argument.clone(),
            equal: compared.is_equal(),
            before: words(&compared.before),
            after: compared.after.iter().map(words).collect(),
        }
    }
}

/// Longest answer that is shown on a terminal; JSON has all of it.
const SHOWN_CHARS_MAX: usize = 300;

fn shown(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return text.to_string();
    }
    let start: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{start}… ({} characters)", text.chars().count())
}

/// Instructions for people.
pub fn human_instructions(instructions: u64) -> String {
    match instructions {
        0..1_000_000 => format!("{instructions} instructions"),
        1_000_000..1_000_000_000 => {
            format!("{:.1} million instructions", instructions as f64 / 1e6)
        }
        _ => format!("{:.1} billion instructions", instructions as f64 / 1e9),
    }
}

fn change(f: &mut fmt::Formatter<'_>, what: &str, [before, after]: [u64; 2]) -> fmt::Result {
    if before == after {
        write!(f, "\n  {what}: {}", human_bytes(after))
    } else {
        write!(
            f,
            "\n  {what}: {} before, {} now",
            human_bytes(before),
            human_bytes(after)
        )
    }
}

impl fmt::Display for OfflineEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ran {
                entry,
                instructions,
                stable_bytes,
                heap_bytes,
                rules_used,
            } => {
                write!(
                    f,
                    "{entry} ran to its end: {}",
                    human_instructions(*instructions)
                )?;
                change(f, "stable memory", *stable_bytes)?;
                change(f, "heap", *heap_bytes)?;
                for (rule, count) in rules_used {
                    write!(f, "\n  not as on chain: {rule} ({count})")?;
                }
                Ok(())
            }
            Self::Saved {
                directory,
                stable_root,
                heap_root,
                loadable_as_snapshot,
            } => {
                write!(f, "{directory} holds the result")?;
                for (name, root) in [("stable memory", stable_root), ("heap", heap_root)] {
                    if let Some(root) = root {
                        write!(f, "\n  root of {name}: {root}")?;
                    }
                }
                if !loadable_as_snapshot {
                    write!(
                        f,
                        "\n  not loadable as a snapshot: module or heap are not part of it"
                    )?;
                }
                Ok(())
            }
            Self::Answered {
                method,
                kind,
                instructions,
                reply_bytes,
                file,
                ..
            } => {
                write!(
                    f,
                    "{kind} {method}: {}, a reply of {}",
                    human_instructions(*instructions),
                    human_bytes(*reply_bytes)
                )?;
                match file {
                    Some(file) => write!(f, " in {file}"),
                    None => Ok(()),
                }
            }
            Self::Stage {
                upgrade,
                entry,
                instructions,
                instructions_left,
                heap_bytes,
                stable_bytes,
                failure,
            } => {
                write!(
                    f,
                    "{upgrade} upgrade, {entry}: {}, {} left; heap {}, stable memory {}",
                    human_instructions(*instructions),
                    human_instructions(*instructions_left),
                    human_bytes(*heap_bytes),
                    human_bytes(*stable_bytes)
                )?;
                match failure {
                    Some(failure) => write!(f, "\n  FAILED: {failure}"),
                    None => Ok(()),
                }
            }
            Self::Checked {
                method,
                argument,
                equal,
                before,
                after,
            } => {
                let verdict = if *equal { "equal" } else { "DIFFERENT" };
                write!(f, "check {method}{argument}: {verdict}")?;
                write!(f, "\n  before: {}", shown(before))?;
                for (when, answer) in ["first", "second"].iter().zip(after) {
                    if *equal {
                        continue;
                    }
                    write!(f, "\n  after the {when} upgrade: {}", shown(answer))?;
                }
                Ok(())
            }
            Self::Prognosis(report) => report.fmt(f),
            Self::Rehearsed { verdict, .. } => f.write_str(verdict),
        }
    }
}

//! What the user sees: sentences and a progress bar on stderr, JSON lines on stdout.
//!
//! Commands report [`Event`]s; this file renders them both ways. `docs/CLI.md` lists the JSON messages:
//! fields are added to them, never renamed or given another meaning.

use crate::args::OutputArgs;
use crate::cost::human_cycles;
use crate::error::CliError;
use crate::modules::{LayoutReport, PatchReport};
use crate::report::OfflineEvent;
use crate::transfer::progress::{Hidden, Progress};
use archive::Memory;
use archive::verify::{Finding, Place};
use candid::Principal;
use ic_management_canister_types::Snapshot;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fmt;
use std::io::{IsTerminal, Write};

/// Where reports go.
#[derive(Clone, Debug)]
pub struct Output {
    json: bool,
    quiet: bool,
    verbose: bool,
    terminal: bool,
    colour: bool,
}

/// Something worth telling.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A step is being taken.
    Step {
        /// Which, in words.
        text: String,
    },
    /// Something the user should know, though it is no error.
    Warning {
        /// What, in words.
        text: String,
    },
    /// What an image on disk still lacks.
    Surveyed {
        /// Which memory.
        memory: Memory,
        /// Its size.
        size_bytes: u64,
        /// All chunks.
        chunks: u64,
        /// Chunks that are zeros: neither fetched nor stored.
        chunks_zero: u64,
        /// Chunks to be fetched.
        chunks_missing: u64,
    },
    /// An image was fetched.
    Fetched {
        /// Which memory.
        memory: Memory,
        /// Chunks that came.
        chunks: u64,
        /// Their bytes.
        bytes: u64,
        /// Chunks that came with wrong bytes and were fetched again.
        wrong_chunks: u64,
        /// Calls that were repeated.
        repeated_calls: u64,
    },
    /// Calls had to be repeated.
    Repeated {
        /// How many, of the whole command.
        calls: u64,
        /// Why the last of them.
        reason: String,
    },
    /// Chunks were sent.
    Sent {
        /// Which memory.
        memory: Memory,
        /// Chunks sent.
        chunks: u64,
        /// Their bytes.
        bytes: u64,
        /// Bytes that travelled for them: less, where they were compressed.
        wire_bytes: u64,
        /// Chunks that were right already.
        chunks_equal: u64,
    },
    /// Something is wrong with a backup.
    Finding {
        /// The file.
        file: String,
        /// Where in it.
        place: String,
        /// Index of the chunk, if it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        chunk: Option<u64>,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
        /// What to do about it, as one word.
        remedy: &'static str,
        /// What to do about it, as a sentence.
        remedy_text: String,
    },
    /// A backup was verified.
    Verified {
        /// Its directory.
        directory: String,
        /// Small files checked.
        files: u64,
        /// Chunks checked.
        chunks: u64,
        /// Bytes of images checked.
        bytes: u64,
        /// Things that are wrong.
        findings: u64,
    },
    /// A backup's certificate certifies its roots.
    Certified {
        /// When the subnet signed, nanoseconds since 1970.
        signed_at_ns: u64,
        /// Whose key vouches for it.
        trusted: &'static str,
    },
    /// A backup's certificate does not certify its roots.
    NotCertified {
        /// Why.
        reason: String,
    },
    /// A backup is finished.
    BackedUp {
        /// Its directory.
        directory: String,
        /// The canister.
        canister: String,
        /// The case, if a rescue canister attested the checksums.
        case: Option<u64>,
        /// Hash of the module that the canister ran.
        module_hash: Option<String>,
        /// Root of stable memory.
        stable_root: Option<String>,
        /// Root of the heap.
        heap_root: Option<String>,
        /// Whether it can be uploaded and loaded as a canister snapshot.
        loadable_as_snapshot: bool,
    },
    /// A memory was hashed on chain and is what the backup says.
    Attested {
        /// Which memory.
        memory: Memory,
        /// Its root.
        root: String,
        /// Who hashed it.
        by: &'static str,
    },
    /// How two memories differ.
    Differs {
        /// Which memory.
        memory: Memory,
        /// Size in the backup.
        size_bytes: u64,
        /// Size in the other backup or the canister.
        other_size_bytes: u64,
        /// Chunks of the backup.
        chunks: u64,
        /// Chunks of it that differ or that the other does not have.
        chunks_different: u64,
        /// Where: first byte and first byte behind, of neighbouring chunks together.
        ranges: Vec<[u64; 2]>,
    },
    /// A restore is finished.
    Restored {
        /// The canister.
        canister: String,
        /// The directory.
        directory: String,
    },
    /// Where a case stands.
    Case {
        /// Its number.
        case: u64,
        /// The canister.
        canister: String,
        /// Where it stands.
        phase: String,
        /// The module that the canister had at first.
        module_hash: Option<String>,
        /// Root of stable memory, if recorded.
        stable_root: Option<String>,
        /// Root of the heap, if recorded.
        heap_root: Option<String>,
        /// Whether there is a snapshot to go back to.
        snapshot: bool,
        /// What may be done.
        may: Vec<String>,
    },
    /// One entry of a case's journal.
    Journal {
        /// Its place.
        index: u64,
        /// When, nanoseconds since 1970.
        at_ns: u64,
        /// The step it belongs to, in words.
        step: Option<String>,
        /// What happened.
        event: String,
        /// Details.
        detail: String,
    },
    /// Something that was learned about a canister.
    Fact {
        /// What about.
        name: String,
        /// What was learned.
        value: String,
    },
    /// One step of a plan.
    PlanStep {
        /// What would be done.
        text: String,
        /// Bytes that it is about.
        bytes: u64,
        /// What it would cost, decimal: more than a JSON number carries.
        cycles: String,
        /// How it is undone.
        way_back: String,
    },
    /// A module was installed.
    Installed {
        /// The canister.
        canister: String,
        /// Hash of the module.
        module_hash: String,
    },
    /// A canister snapshot.
    Snapshot {
        /// The canister.
        canister: String,
        /// Its id, hex.
        snapshot: String,
        /// When it was taken, nanoseconds since 1970.
        taken_at_ns: u64,
        /// Its size.
        total_bytes: u64,
    },
    /// A module was patched.
    Patched(Box<PatchReport>),
    /// Two modules were compared.
    Layout(Box<LayoutReport>),
    /// Something ended well that has no numbers.
    Done {
        /// What, in words.
        text: String,
    },
    /// The command failed.
    Error {
        /// The exit code.
        code: u8,
        /// Its name.
        kind: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
    /// Something that code did off chain.
    #[serde(untagged)]
    Offline(OfflineEvent),
}

impl Output {
    /// Talks as `args` ask for.
    pub fn new(args: &OutputArgs) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self {
            json: args.json,
            quiet: args.quiet,
            verbose: args.verbose,
            terminal,
            colour: terminal && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// Tells of `event`.
    pub fn say(&self, event: &Event) {
        if self.json {
            self.print_json(event);
        }
        if !self.quiet {
            self.print_human(&event.to_string());
        }
    }

    /// Tells that a step is being taken.
    pub fn step(&self, text: impl Into<String>) {
        self.say(&Event::Step { text: text.into() });
    }

    /// Tells something that matters only to those who asked for more.
    pub fn detail(&self, text: impl Into<String>) {
        if self.verbose {
            self.step(text);
        }
    }

    /// Tells something that the user should know.
    pub fn warn(&self, text: impl Into<String>) {
        self.say(&Event::Warning { text: text.into() });
    }

    /// Tells why the command failed. Not silenced by `--quiet`.
    pub fn fail(&self, error: &CliError) {
        let (code, kind) = (error.exit_code(), error.name());
        let message = error.to_string();
        if self.json {
            self.print_json(&Event::Error {
                code,
                kind,
                message: message.clone(),
            });
        }
        let label = if self.colour {
            "\u{1b}[31;1merror:\u{1b}[0m"
        } else {
            "error:"
        };
        self.print_human(&format!("{label} {message}"));
    }

    /// Progress over `total_bytes`: a bar on a terminal, nothing elsewhere.
    pub fn progress(&self, what: &str, total_bytes: u64) -> Box<dyn Progress> {
        if self.json || self.quiet || !self.terminal {
            return Box::new(Hidden);
        }
        let style = ProgressStyle::with_template(
            "{prefix:>24} {bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} left",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(total_bytes)
            .with_style(style)
            .with_prefix(what.to_string());
        Box::new(Bar(bar))
    }

    /// Writes what a command was asked for to stdout; with `--json` its report holds it already.
    ///
    /// # Errors
    /// [`CliError::WriteOut`].
    pub fn product(&self, bytes: &[u8]) -> Result<(), CliError> {
        if self.json {
            return Ok(());
        }
        std::io::stdout()
            .write_all(bytes)
            .map_err(|source| CliError::WriteOut { source })
    }

    fn print_json(&self, event: &Event) {
        let text = serde_json::to_string(event).expect("BUG: events are plain data");
        // Nobody is left to tell if stdout is gone.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    fn print_human(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

struct Bar(ProgressBar);

impl Progress for Bar {
    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl From<&Finding> for Event {
    fn from(finding: &Finding) -> Self {
        let chunk = match finding.place {
            Place::Chunk { index, .. } => Some(index),
            _ => None,
        };
        Event::Finding {
            file: finding.file.clone(),
            place: finding.place.to_string(),
            chunk,
            expected: finding.expected.clone(),
            found: finding.found.clone(),
            remedy: finding.remedy.name(),
            remedy_text: finding.remedy.to_string(),
        }
    }
}

impl Event {
    /// Tells of a snapshot.
    pub fn snapshot(canister: Principal, snapshot: &Snapshot) -> Self {
        Event::Snapshot {
            canister: canister.to_text(),
            snapshot: hex::encode(&snapshot.id),
            taken_at_ns: snapshot.taken_at_timestamp,
            total_bytes: snapshot.total_size,
        }
    }
}

/// Bytes for people.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Step { text } | Event::Done { text } => f.write_str(text),
            Event::Warning { text } => write!(f, "warning: {text}"),
            Event::Surveyed {
                memory,
                size_bytes,
                chunks,
                chunks_zero,
                chunks_missing,
            } => {
                let kept = chunks - chunks_zero - chunks_missing;
                write!(
                    f,
                    "{memory}: {}, {chunks} chunks; {chunks_zero} are zeros, {kept} are on disk, \
                     {chunks_missing} to fetch",
                    human_bytes(*size_bytes)
                )
            }
            Event::Fetched {
                memory,
                chunks,
                bytes,
                wrong_chunks,
                repeated_calls,
            } => {
                write!(
                    f,
                    "{memory}: fetched {chunks} chunks, {}",
                    human_bytes(*bytes)
                )?;
                if *wrong_chunks > 0 {
                    write!(
                        f,
                        "; {wrong_chunks} came with wrong bytes and were fetched again"
                    )?;
                }
                if *repeated_calls > 0 {
                    write!(f, "; {repeated_calls} calls had to be repeated")?;
                }
                Ok(())
            }
            Event::Repeated { calls, reason } => {
                write!(
                    f,
                    "{calls} calls had to be repeated; the last because: {reason}"
                )
            }
            Event::Sent {
                memory,
                chunks,
                bytes,
                wire_bytes,
                chunks_equal,
            } => write!(
                f,
                "{memory}: sent {chunks} chunks, {}, as {}; {chunks_equal} were right already",
                human_bytes(*bytes),
                human_bytes(*wire_bytes)
            ),
            Event::Finding {
                file,
                place,
                expected,
                found,
                remedy_text,
                ..
            } => {
                write!(
                    f,
                    "{file}, {place}: expected {expected}, found {found}; {remedy_text}"
                )
            }
            Event::Verified {
                directory,
                files,
                chunks,
                bytes,
                findings,
            } => {
                let verdict = match findings {
                    0 => "sound".to_string(),
                    1 => "1 finding".to_string(),
                    n => format!("{n} findings"),
                };
                write!(
                    f,
                    "{directory}: {verdict}; {chunks} chunks ({}) and {files} files checked",
                    human_bytes(*bytes)
                )
            }
            Event::Certified { trusted, .. } => {
                write!(
                    f,
                    "the roots are certified by the subnet, checked with {trusted}"
                )
            }
            Event::NotCertified { reason } => write!(f, "the roots are NOT certified: {reason}"),
            Event::BackedUp {
                directory,
                canister,
                stable_root,
                heap_root,
                loadable_as_snapshot,
                ..
            } => {
                write!(f, "{canister} is backed up in {directory}")?;
                for (name, root) in [("stable memory", stable_root), ("heap", heap_root)] {
                    if let Some(root) = root {
                        write!(f, "\n  root of {name}: {root}")?;
                    }
                }
                if !loadable_as_snapshot {
                    write!(
                        f,
                        "\n  not loadable as a snapshot: module, globals or heap are not part of it"
                    )?;
                }
                Ok(())
            }
            Event::Attested { memory, root, by } => {
                write!(
                    f,
                    "{memory}: hashed on chain by {by}, root {root} as in the backup"
                )
            }
            Event::Differs {
                memory,
                size_bytes,
                other_size_bytes,
                chunks,
                chunks_different,
                ranges,
            } => {
                write!(f, "{memory}: {chunks_different} of {chunks} chunks differ")?;
                if size_bytes != other_size_bytes {
                    write!(f, "; {size_bytes} bytes here, {other_size_bytes} there")?;
                }
                for [start, end] in ranges {
                    write!(f, "\n  bytes {start}..{end}")?;
                }
                Ok(())
            }
            Event::Restored {
                canister,
                directory,
            } => {
                write!(f, "{canister} holds what {directory} holds")
            }
            Event::Case {
                case,
                canister,
                phase,
                module_hash,
                stable_root,
                heap_root,
                snapshot,
                may,
            } => {
                let or_none = |value: &Option<String>| value.clone().unwrap_or("none".into());
                write!(
                    f,
                    "case {case} of {canister}: {phase}\n  module at first:       {}\n  root of stable memory: {}\n  \
                     root of heap:          {}\n  snapshot to go back to: {}\n  possible now: {}",
                    or_none(module_hash),
                    or_none(stable_root),
                    or_none(heap_root),
                    if *snapshot { "yes" } else { "no" },
                    may.join(", ")
                )
            }
            Event::Journal {
                index,
                step,
                event,
                detail,
                ..
            } => {
                let step = step
                    .as_ref()
                    .map_or(String::new(), |step| format!("{step}: "));
                write!(f, "  {index:>4} {step}{event} {detail}")
            }
            Event::Fact { name, value } => write!(f, "{name:>26}: {value}"),
            Event::PlanStep {
                text,
                bytes,
                cycles,
                way_back,
            } => {
                let cycles = human_cycles(cycles.parse().unwrap_or(0));
                write!(f, "{text}")?;
                if *bytes > 0 {
                    write!(f, " ({})", human_bytes(*bytes))?;
                }
                write!(f, ": {cycles} cycles; way back: {way_back}")
            }
            Event::Installed {
                canister,
                module_hash,
            } => {
                write!(f, "{canister} runs module {module_hash}")
            }
            Event::Snapshot {
                snapshot,
                taken_at_ns,
                total_bytes,
                ..
            } => {
                let (size, at_s) = (human_bytes(*total_bytes), taken_at_ns / 1_000_000_000);
                write!(
                    f,
                    "snapshot {snapshot}: {size}, taken at {at_s} s since 1970"
                )
            }
            Event::Offline(event) => event.fmt(f),
            Event::Patched(report) => write!(f, "{report}"),
            Event::Layout(report) => write!(f, "{report}"),
            Event::Error { message, .. } => write!(f, "error: {message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_for_people() {
        let texts = [0, 1023, 1024, 1536, 1 << 20, 3 << 30].map(human_bytes);
        assert_eq!(
            texts,
            [
                "0 bytes",
                "1023 bytes",
                "1.0 KiB",
                "1.5 KiB",
                "1.0 MiB",
                "3.0 GiB"
            ]
        );
    }

    #[test]
    fn events_are_json_with_a_type() {
        let event = Event::Fetched {
            memory: Memory::Stable,
            chunks: 2,
            bytes: 5,
            wrong_chunks: 1,
            repeated_calls: 0,
        };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"type":"fetched","memory":"stable","chunks":2,"bytes":5,"wrong_chunks":1,"repeated_calls":0}"#
        );
        assert_eq!(
            event.to_string(),
            "stable memory: fetched 2 chunks, 5 bytes; 1 came with wrong bytes and were fetched again"
        );
    }
}

//! Watches a command run: how long, how much memory at most, what it said.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often the peak of memory is read. The kernel keeps the peak; what grows in the last moments is missed.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A run that ended.
#[derive(Debug)]
pub struct Watched {
    /// How it ended.
    pub status: ExitStatus,
    /// The most memory that the whole process had resident at once, in bytes.
    pub peak_bytes: u64,
    /// How long it took.
    pub time: Duration,
    /// Lines of standard output, each with the time since the start at which it came.
    pub lines: Vec<(Duration, String)>,
}

impl Watched {
    /// When the first line came that holds all of `parts`.
    pub fn time_of(&self, parts: &[&str]) -> Duration {
        let holds = |line: &str| parts.iter().all(|part| line.contains(part));
        let found = self.lines.iter().find(|(_, line)| holds(line));
        found
            .unwrap_or_else(|| panic!("no line with {parts:?} in {:#?}", self.lines))
            .0
    }
}

/// Runs `command` to its end, standard error left alone, and insists on success.
pub fn watch(command: &mut Command) -> Watched {
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let lines = output.lines().map_while(Result::ok);
        lines.map(|line| (begun.elapsed(), line)).collect()
    });
    let mut peak_bytes = 0;
    let status = loop {
        if let Some(now) = peak_of(child.id()) {
            peak_bytes = peak_bytes.max(now);
        }
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(LOOK_EVERY);
    };
    let time = begun.elapsed();
    let lines: Vec<(Duration, String)> = reader.join().unwrap();
    assert!(status.success(), "{command:?}: {status}\n{lines:#?}");
    Watched {
        status,
        peak_bytes,
        time,
        lines,
    }
}

/// What the kernel calls VmHWM: the peak of the resident set, libraries and buffers included.
fn peak_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

//! Counts what has happened in all runs, so that faults which never strike and ends which are never reached are
//! noticed.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// What has to have happened in a full number of runs, and how often at least: about half of what was seen.
const EXPECTED: [(&str, u64); 21] = [
    ("step done", 500),
    ("step refused", 200),
    ("callback trapped", 20),
    ("patient was frozen: refused", 10),
    ("rescue was frozen: refused", 10),
    ("time passed: refused", 2),
    ("reply lost: the same step again is done", 5),
    ("rescue upgraded in between", 5),
    ("rescue refused its upgrade", 5),
    ("rescue restarted", 5),
    ("someone else acted", 50),
    ("phase unknown", 20),
    ("phase foreign", 50),
    ("phase holding Own", 100),
    ("phase holding Downloader", 100),
    ("phase holding Uploader", 20),
    ("phase holding Final", 5),
    ("rolled back", 50),
    ("nothing to roll back to", 10),
    ("end with the final module", 50),
    ("end with the patient's own module", 5),
];

/// The counts.
#[derive(Default)]
pub struct Tally(Mutex<BTreeMap<String, u64>>);

impl Tally {
    /// Counts one more.
    pub fn count(&self, what: impl Into<String>) {
        let mut counts = self.0.lock().unwrap();
        *counts.entry(what.into()).or_default() += 1;
    }

    /// All counts, for people.
    pub fn print(&self) {
        let counts = self.0.lock().unwrap();
        for (what, count) in counts.iter() {
            println!("{count:6} {what}");
        }
    }

    /// Whether everything has happened that is expected to.
    pub fn check(&self) {
        let counts = self.0.lock().unwrap();
        for (what, at_least) in EXPECTED {
            let count = counts.get(what).copied().unwrap_or_default();
            assert!(count >= at_least, "{what}: {count} times only");
        }
    }
}

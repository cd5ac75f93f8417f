//! What a case says is what the patient is, and no data is lost without a way back.

use super::patient::Patient;
use super::script::Step;
use rescue_api::{CaseView, Held, Memory, Phase, Refusal, Run, SnapshotPolicy};
use std::sync::LazyLock;
use tests::living::{self, Memories};
use tests::{sha256, wasms};

/// Hashes of everything that can lie in a patient's slot.
pub struct Hashes {
    pub own: Vec<u8>,
    pub strange: Vec<u8>,
    pub cured: Vec<u8>,
    downloader: Vec<u8>,
    uploader: Vec<u8>,
}

pub static HASHES: LazyLock<Hashes> = LazyLock::new(|| Hashes {
    own: sha256(&living::patient()),
    strange: sha256(&living::strange()),
    cured: sha256(&living::cured()),
    downloader: sha256(&wasms::load("downloader")),
    uploader: sha256(&wasms::load("uploader")),
});

/// Whether a memory has been emptied or replaced by the case's own steps.
pub fn is_wiped(view: &CaseView, memory: Memory) -> bool {
    view.memories
        .iter()
        .any(|view| view.memory == memory && view.wiped)
}

impl Patient<'_> {
    /// Compares what the case says with what is. Where others were at work since rescue last looked, it is asked
    /// to look first; what it does not know it does not say.
    pub fn check_truth(&mut self) {
        if self.is_touched {
            match self.ask(Step::Settle).unwrap() {
                Ok(_) | Err(Refusal::ForeignChange { .. }) => self.is_touched = false,
                // Closed, in doubt, or no controller any more: it cannot look.
                Err(_) => return,
            }
        }
        let view = self.view();
        self.remember_snapshot(&view);
        let (module, run) = match view.phase {
            Phase::Holding { module, run } => (module, run),
            Phase::Unknown { .. } => return self.tally.count("phase unknown"),
            Phase::Foreign { .. } => return self.tally.count("phase foreign"),
            Phase::Closed => return,
        };
        self.tally.count(format!("phase holding {module:?}"));
        let status = self.hospital.world.status(self.id);
        let runs = match run {
            Run::Running => "Running",
            Run::Stopping => "Stopping",
            Run::Stopped => "Stopped",
        };
        assert_eq!(format!("{:?}", status.status), runs, "{}", self.at);
        self.check_module(module, status.module_hash);
        if !self.is_meddled_with {
            self.check_data(&view, module, run == Run::Running);
        }
    }

    fn check_module(&self, told: Held, found: Option<Vec<u8>>) {
        let is_told = match (told, &found) {
            (Held::Own, None) => self.is_meddled_with,
            (Held::Own, Some(hash)) => {
                *hash == HASHES.own
                    || self.is_meddled_with && [&HASHES.strange, &HASHES.cured].contains(&hash)
            }
            (Held::Downloader, Some(hash)) => *hash == HASHES.downloader,
            (Held::Uploader, Some(hash)) => *hash == HASHES.uploader,
            (Held::Final, Some(hash)) => *hash == HASHES.cured,
            (Held::Downloader | Held::Uploader | Held::Final, None) => false,
        };
        assert!(is_told, "{}: {told:?} is told of {found:02x?}", self.at);
    }

    /// Nobody but rescue has touched the memories.
    fn check_data(&mut self, view: &CaseView, module: Held, runs: bool) {
        if !is_wiped(view, Memory::Stable) {
            let stable = self.hospital.world.stable_memory(self.id);
            let is_as_counted = stable == Memories::after(self.calls).stable;
            if !is_as_counted {
                let saved = self.saved.as_ref();
                let is_rolled_back =
                    self.may_go_back && saved.is_some_and(|saved| saved.memories.stable == stable);
                assert!(is_rolled_back, "{}: stable memory differs", self.at);
                self.calls = calls_of(&stable);
            }
        }
        match module {
            Held::Own => self.calls_of_own = self.calls,
            Held::Downloader | Held::Uploader | Held::Final => {
                let Some(saved) = &self.saved else {
                    let waived = matches!(view.snapshot_policy, SnapshotPolicy::Waive { .. });
                    let was_deleted = view.snapshot.is_some();
                    assert!(waived || was_deleted, "{}: no way back", self.at);
                    return;
                };
                if matches!(view.snapshot_policy, SnapshotPolicy::Take) {
                    assert!(!self.is_way_back_gone, "{}: no snapshot", self.at);
                    let is_newest = saved.memories == Memories::after(self.calls_of_own);
                    assert!(is_newest, "{}: the way back leads elsewhere", self.at);
                }
            }
        }
        if module == Held::Own && runs {
            let is_as_counted = self.heap() == Memories::after(self.calls).heap;
            assert!(is_as_counted, "{}: the heap differs", self.at);
        }
    }

    /// Reads the snapshot on record once.
    fn remember_snapshot(&mut self, view: &CaseView) {
        let Some(on_record) = &view.snapshot else {
            return;
        };
        let is_known = |saved: &super::patient::Saved| saved.id == *on_record.id;
        if on_record.deleted || self.saved.as_ref().is_some_and(is_known) {
            return;
        }
        let Some(saved) = self.read_snapshot(&on_record.id) else {
            return;
        };
        if !self.is_meddled_with {
            let calls = calls_of(&saved.memories.stable);
            assert!(calls <= self.calls, "{}: it counts more", self.at);
            let is_whole = saved.memories == Memories::after(calls);
            assert!(is_whole, "{}: the snapshot is not the patient", self.at);
        }
        self.saved = Some(saved);
        self.is_way_back_gone = false;
    }
}

/// What a stable memory counts.
fn calls_of(stable: &[u8]) -> u64 {
    let count = |memory: &[u8]| u64::from_le_bytes(memory[..8].try_into().unwrap());
    count(stable).wrapping_sub(count(&Memories::after(0).stable))
}

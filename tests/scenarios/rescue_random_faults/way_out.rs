//! From wherever a run has ended: `rollback` gives the patient back, and `advance` leads to an end, with an operator
//! who does their part.

use super::patient::Patient;
use super::script::Step;
use super::truth::{HASHES, is_wiped};
use candid::Reserved;
use rescue_api::{
    Advance, Answer, CaseView, HeapChoice, Held, Memory, Pair, Phase, Refusal, Run, SwapMemories,
};
use tests::living::Memories;

/// Attempts at one thing.
const ATTEMPTS_MAX: usize = 8;
/// Calls of `advance` within which a case comes to its end.
const ADVANCES_MAX: usize = 80;

impl Patient<'_> {
    /// Rolls the patient back, if a snapshot is on record and there; then it is what it was, and runs.
    pub fn roll_back(&mut self) {
        self.check_truth();
        if self.view().phase == Phase::Closed {
            return;
        }
        if !self.load_snapshot() {
            return self.tally.count("nothing to roll back to");
        }
        self.tally.count("rolled back");
        let saved = self.saved.as_ref().expect("it was rolled back to");
        assert_eq!(
            self.module_hash().as_ref(),
            Some(&saved.module_hash),
            "{}: rolled back to another module",
            self.at
        );
        let stable = self.hospital.world.stable_memory(self.id);
        assert!(
            stable == saved.memories.stable,
            "{}: rolled back to another stable memory",
            self.at
        );
        let heap = saved.memories.heap.clone();
        self.start();
        assert!(
            self.heap() == heap,
            "{}: rolled back to another heap",
            self.at
        );
        self.is_touched = false;
        self.check_truth();
    }

    /// False if there is nothing to go back to.
    fn load_snapshot(&mut self) -> bool {
        let rollback = Step::Rollback {
            discard_newer_state: true,
        };
        for _ in 0..ATTEMPTS_MAX {
            match self.ask(rollback).unwrap() {
                Ok(_) => {
                    let view = self.view();
                    let on_record = view.snapshot.expect("a rollback has a snapshot");
                    if self
                        .saved
                        .as_ref()
                        .is_none_or(|saved| saved.id != *on_record.id)
                    {
                        self.saved = self.read_snapshot(&on_record.id);
                    }
                    return true;
                }
                Err(Refusal::NoSnapshot { .. }) => {
                    let on_record = self.view().snapshot.map(|on_record| on_record.id);
                    let snapshots = self.snapshots();
                    let is_there = on_record.is_some_and(|id| snapshots.contains(&id.into_vec()));
                    assert!(!is_there, "{}: the snapshot is there", self.at);
                    return false;
                }
                Err(other) => self.help(&other, "rollback"),
            }
        }
        panic!("{}: no rollback from {:?}", self.at, self.view().phase);
    }

    /// The operator's part in what rescue cannot do alone.
    fn help(&mut self, refusal: &Refusal, step: &str) {
        match refusal {
            Refusal::OutcomeUnknown(_) | Refusal::InProgress(_) => self.outlast_leases(),
            Refusal::NotPatientController { .. } => self.give_control_back(),
            Refusal::ForeignChange { .. } => self.accept(),
            other => panic!("{}: {step}: {other:?}", self.at),
        }
    }

    fn start(&mut self) {
        for _ in 0..ATTEMPTS_MAX {
            match self.ask(Step::Start).unwrap() {
                Ok(_) | Err(Refusal::NotNow { .. }) => return,
                Err(other) => self.help(&other, "start"),
            }
        }
        panic!("{}: it does not start", self.at);
    }

    /// Advances to the end.
    pub fn advance(&mut self) {
        self.check_truth();
        for _ in 0..ADVANCES_MAX {
            if self.is_meddled_with && self.module_hash().is_none() {
                self.install_anew();
            }
            let sent = self.hospital.send(&Step::Advance.request(self.case));
            let reply = self.hospital.finish(&sent).unwrap();
            let answer: Answer<Advance> = candid::decode_one(&reply).unwrap();
            match answer {
                Ok(Advance::Finished) => return self.check_end(),
                Ok(Advance::YourTurn { .. }) => self.take_turn(),
                Ok(Advance::Stepped(_) | Advance::Checksumming(_) | Advance::Attesting(_)) => {}
                Err(other) => self.help(&other, "advance"),
            }
            self.check_truth();
        }
        panic!("{}: advance leads nowhere from {:?}", self.at, self.view());
    }

    fn check_end(&self) {
        assert_eq!(self.view().phase, Phase::Closed, "{}", self.at);
        let found = self.module_hash();
        let ends = [&HASHES.own, &HASHES.cured, &HASHES.strange];
        let is_end = found.as_ref().is_some_and(|hash| ends.contains(&hash));
        let is_strange = found.as_ref() == Some(&HASHES.strange);
        assert!(
            is_end && (self.is_meddled_with || !is_strange) || self.is_left_as_is,
            "{}: {found:02x?} in the end",
            self.at
        );
        self.tally.count(match &found {
            Some(hash) if *hash == HASHES.cured => "end with the final module",
            Some(hash) if *hash == HASHES.own => "end with the patient's own module",
            Some(hash) if *hash == HASHES.strange => "end with a strange module",
            _ => "end with what it was left with",
        });
        if !self.is_meddled_with && found.as_ref() == Some(&HASHES.cured) {
            let stable = self.hospital.world.stable_memory(self.id);
            let is_kept = stable == Memories::after(self.calls).stable;
            assert!(is_kept || self.is_unattested, "{}: data is lost", self.at);
        }
    }

    /// What the operator does when it is their turn.
    fn take_turn(&mut self) {
        let view = self.view();
        let Phase::Holding { module, run } = view.phase else {
            return self.accept();
        };
        if view.staged.chunks == 0 {
            self.try_step(Step::Stage);
        }
        if view.final_module_hash.is_none() {
            self.try_step(Step::Declare);
        }
        let to_attest = [Memory::Stable, Memory::Heap]
            .into_iter()
            .find(|memory| is_to_attest(&view, *memory));
        match (module, run) {
            (Held::Uploader, Run::Running) if to_attest.is_some() => {
                self.attest(to_attest.expect("it was just asked for"));
            }
            (Held::Uploader, Run::Stopped) if to_attest.is_some() => self.try_step(Step::Start),
            (Held::Downloader, Run::Stopped) if to_attest.is_some() => {
                self.try_step(Step::Swap(Pair::Uploader, SwapMemories::Keep));
            }
            (_, Run::Running | Run::Stopping) => self.try_step(Step::Stop),
            (Held::Downloader, Run::Stopped)
                if view.plan.restore && !is_wiped(&view, Memory::Stable) =>
            {
                self.try_step(Step::Swap(Pair::Uploader, SwapMemories::Wipe));
            }
            (_, Run::Stopped) if is_wiped(&view, Memory::Heap) => {
                self.install(HeapChoice::Replace, false);
            }
            (_, Run::Stopped) => self.install(view.plan.heap, false),
        }
    }

    fn install(&mut self, heap: HeapChoice, although_unattested: bool) {
        self.try_step(Step::Install {
            heap,
            inline: true,
            although_unattested,
        });
    }

    /// Writes the memories back and has them attested; what was recorded of memories that others had changed cannot
    /// be written back, and is gone on from without.
    fn attest(&mut self, memory: Memory) {
        self.restore();
        let is_agreed = self.is_unattested;
        self.try_step(Step::Attest(memory));
        let view = self.view();
        if matches!(view.phase, Phase::Holding { .. }) && is_to_attest(&view, memory) {
            assert!(
                self.is_meddled_with || is_agreed,
                "{}: {memory:?} is not attested after its restore",
                self.at
            );
            self.try_step(Step::Stop);
            self.install(HeapChoice::Replace, true);
        }
    }

    /// A refusal by the step's own conditions is a fine answer here: `advance` tells what next.
    fn try_step(&mut self, step: Step) {
        let answer: Answer<Reserved> = self.ask(step).unwrap();
        if let Err(
            refusal @ (Refusal::OutcomeUnknown(_)
            | Refusal::InProgress(_)
            | Refusal::NotPatientController { .. }
            | Refusal::ForeignChange { .. }),
        ) = answer
        {
            self.help(&refusal, "a step of the operator's");
        }
    }
}

fn is_to_attest(view: &CaseView, memory: Memory) -> bool {
    view.memories.iter().any(|view| {
        let is_recorded = view
            .checksums
            .as_ref()
            .is_some_and(|sums| sums.root.is_some());
        let is_attested = view.attestation.as_ref().is_some_and(|done| done.attested);
        view.memory == memory && view.wiped && is_recorded && !is_attested
    })
}

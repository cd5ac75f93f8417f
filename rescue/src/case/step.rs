//! The one function that changes a case. Pure: a case and an event in, a case and journal lines out.

mod evidence;

use candid::Principal;
use rescue_api::Refusal;

use super::judge::{self, Listed, Look, Verdict, What, hex, judge, known_module};
use super::model::{
    Case, Hash, Held, Memories, Memory, MemoryRecord, Operation, Pair, Pending, Phase, Run, Seen,
    Snapshot, Stage,
};
use super::rules::{self, Consent};
use crate::limits;
use crate::view;

/// Something that happens to a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A step is asked for: check it and take the lease.
    Begin {
        /// Which.
        operation: Operation,
        /// Who asks.
        actor: Principal,
        /// To what they agree.
        consent: Consent,
    },
    /// The patient was looked at before anything is called.
    LookedFirst {
        /// Which attempt.
        token: u64,
        /// To what its actor agrees.
        consent: Consent,
        /// What was seen.
        look: Look,
    },
    /// A call that changes the patient goes out right after this.
    Calling {
        /// Which attempt.
        token: u64,
        /// Our own version.
        sender_version: u64,
        /// Hash the patient will have.
        target: Option<Hash>,
    },
    /// Nothing was called (or nothing that changes the patient): give the lease back.
    Release {
        /// Which attempt.
        token: u64,
    },
    /// The step goes on looking for a while.
    Renewed {
        /// Which attempt.
        token: u64,
    },
    /// The patient was looked at after the call.
    LookedAfter {
        /// Which attempt.
        token: u64,
        /// What was seen.
        look: Look,
        /// The call is over: if it has no effect now, it will have none.
        call_is_over: bool,
    },
    /// The patient told the size of a memory that is about to be hashed.
    Sized {
        /// Which attempt.
        token: u64,
        /// Which memory.
        memory: Memory,
        /// Its size, bytes.
        size_bytes: u64,
        /// Begin again.
        restart: bool,
    },
    /// Further digests are recorded, up to this count.
    Recorded {
        /// Which attempt.
        token: u64,
        /// Which memory.
        memory: Memory,
        /// Digests on record.
        recorded: u64,
    },
    /// All digests are recorded: this is their root.
    Sealed {
        /// Which attempt.
        token: u64,
        /// Which memory.
        memory: Memory,
        /// Their root.
        root: Hash,
    },
    /// Further chunks were compared.
    Compared {
        /// Which attempt.
        token: u64,
        /// Which memory.
        memory: Memory,
        /// Chunks compared in this batch.
        count: u64,
        /// Those that differ.
        differing: Vec<u64>,
    },
    /// The final hash is declared.
    Declared {
        /// The hash.
        hash: Hash,
        /// By whom.
        actor: Principal,
    },
    /// Chunks of the final module were staged or dropped.
    Staged {
        /// How many are there now.
        chunks: u32,
        /// Their bytes.
        bytes: u64,
    },
    /// A foreign change is accepted.
    Accepted {
        /// Which attempt.
        token: u64,
        /// `total_changes` the operator has seen.
        total_changes: u64,
        /// The patient now.
        look: Look,
        /// Hashes of the embedded modules.
        pair: Vec<(Pair, Hash)>,
    },
    /// The snapshot was deleted.
    SnapshotDeleted,
    /// The case is closed.
    Closed {
        /// By whom.
        actor: Principal,
        /// To what they agree.
        consent: Consent,
    },
}

/// A line for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The step it belongs to.
    pub operation: Option<Operation>,
    /// One word of a fixed list.
    pub event: &'static str,
    /// The rest, for people.
    pub detail: String,
}

/// A case after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// The case.
    pub case: Case,
    /// What the journal gets.
    pub lines: Vec<Line>,
}

/// Applies an event to a case, or says why not. On refusal nothing has changed.
pub fn step(case: &Case, event: Event, now: u64) -> Result<Stepped, Refusal> {
    let mut next = Change {
        case: case.clone(),
        lines: Vec::new(),
    };
    next.case.changed_at = now;
    match event {
        Event::Begin {
            operation,
            actor,
            consent,
        } => next.begin(operation, actor, consent, now)?,
        Event::LookedFirst {
            token,
            consent,
            look,
        } => next.look_first(token, consent, look)?,
        Event::Calling {
            token,
            sender_version,
            target,
        } => next.call(token, sender_version, target, now)?,
        Event::Release { token } => {
            next.holds(token)?;
            next.case.pending = None;
        }
        Event::Renewed { token } => next.renew(token, now)?,
        Event::LookedAfter {
            token,
            look,
            call_is_over,
        } => next.look_after(token, &look, call_is_over, now)?,
        Event::Sized {
            token,
            memory,
            size_bytes,
            restart,
        } => next.size(token, memory, size_bytes, restart)?,
        Event::Recorded {
            token,
            memory,
            recorded,
        } => {
            next.holds(token)?;
            next.case.memory_mut(memory).recorded = recorded;
        }
        Event::Sealed {
            token,
            memory,
            root,
        } => next.seal(token, memory, root, now)?,
        Event::Compared {
            token,
            memory,
            count,
            differing,
        } => next.compare(token, memory, count, &differing, now)?,
        Event::Declared { hash, actor } => {
            rules::check(case, Operation::Declare, Consent::default())?;
            rules::check_lease(case, now)?;
            next.case.final_hash = Some(hash);
            let detail = format!("{} by {actor}", hex(hash.as_slice()));
            next.line(Some(Operation::Declare), "declared", detail);
        }
        Event::Staged { chunks, bytes } => {
            rules::check(case, Operation::PutModuleChunk, Consent::default())?;
            next.case.staged_chunks = chunks;
            next.case.staged_bytes = bytes;
        }
        Event::Accepted {
            token,
            total_changes,
            look,
            pair,
        } => next.accept(token, total_changes, &look, &pair)?,
        Event::SnapshotDeleted => {
            if let Some(snapshot) = &mut next.case.snapshot {
                snapshot.deleted = true;
            }
            next.line(Some(Operation::Close), "snapshot-deleted", String::new());
        }
        Event::Closed { actor, consent } => {
            rules::check(case, Operation::Close, consent)?;
            rules::check_lease(case, now)?;
            next.case.pending = None;
            next.case.phase = Phase::Closed;
            next.line(Some(Operation::Close), "closed", format!("by {actor}"));
        }
    }
    Ok(Stepped {
        case: next.case,
        lines: next.lines,
    })
}

/// A case while it changes.
struct Change {
    case: Case,
    lines: Vec<Line>,
}

impl Change {
    fn begin(
        &mut self,
        operation: Operation,
        actor: Principal,
        consent: Consent,
        now: u64,
    ) -> Result<(), Refusal> {
        rules::check_lease(&self.case, now)?;
        // What is in doubt is settled by a look of its own; a new step does not paint over it.
        if let Some(pending) = self.case.in_doubt() {
            return Err(Refusal::OutcomeUnknown(view::busy(pending)));
        }
        rules::check(&self.case, operation, consent)?;
        let token = self.case.next_token;
        self.case.next_token += 1;
        self.case.pending = Some(Pending {
            operation,
            token,
            actor,
            stage: Stage::Looking,
            since: now,
            lease_until: now + limits::LOOK_LEASE_NANOS,
            sender_version: 0,
            target: None,
            snapshots_before: Vec::new(),
        });
        Ok(())
    }

    fn look_first(&mut self, token: u64, consent: Consent, look: Look) -> Result<(), Refusal> {
        let operation = self.holds(token)?.operation;
        self.miss_snapshot(&look);
        match judge(&self.case, &look) {
            Verdict::Foreign { found } if operation == Operation::Rollback => {
                // A rollback undoes foreign changes, too, if its actor agrees.
                self.find_foreign(found, &look.seen);
            }
            Verdict::Foreign { found } => {
                self.case.pending = None;
                self.find_foreign(found, &look.seen);
                return Ok(());
            }
            Verdict::Quiet | Verdict::Effect { .. } => self.see(&look.seen),
        }
        if rules::check(&self.case, operation, consent).is_err() {
            // The lease goes back; that the patient looks different now is kept.
            self.case.pending = None;
            return Ok(());
        }
        if let Some(pending) = &mut self.case.pending {
            pending.snapshots_before = look
                .snapshots
                .unwrap_or_default()
                .into_iter()
                .map(|listed| listed.id)
                .collect();
        }
        // A rollback starts from here whatever others did before.
        if operation == Operation::Rollback {
            self.case.last_seen = look.seen;
        }
        Ok(())
    }

    fn renew(&mut self, token: u64, now: u64) -> Result<(), Refusal> {
        self.holds(token)?;
        if let Some(pending) = &mut self.case.pending {
            pending.lease_until = now + limits::LOOK_LEASE_NANOS;
        }
        Ok(())
    }

    fn call(
        &mut self,
        token: u64,
        sender_version: u64,
        target: Option<Hash>,
        now: u64,
    ) -> Result<(), Refusal> {
        let mut pending = self.holds(token)?.clone();
        let first = pending.stage == Stage::Looking;
        pending.stage = Stage::Calling;
        pending.lease_until = now + limits::CALL_LEASE_NANOS;
        pending.sender_version = sender_version;
        pending.target = target;
        let (operation, actor) = (pending.operation, pending.actor);
        self.case.pending = Some(pending);
        if first {
            self.line(Some(operation), "calling", format!("by {actor}"));
        }
        Ok(())
    }

    fn look_after(
        &mut self,
        token: u64,
        look: &Look,
        call_is_over: bool,
        now: u64,
    ) -> Result<(), Refusal> {
        let pending = self.holds(token)?.clone();
        match judge(&self.case, look) {
            Verdict::Effect { snapshot } => {
                self.case.pending = None;
                self.take_effect(pending.operation, pending.target, snapshot, &look.seen);
            }
            Verdict::Quiet if call_is_over || now >= pending.lease_until => {
                self.case.pending = None;
                self.see(&look.seen);
                self.line(Some(pending.operation), "no-effect", String::new());
            }
            // It may still come: keep the doubt.
            Verdict::Quiet => {}
            Verdict::Foreign { found } => {
                let has_come = judge::has_come(&self.case, &pending, look);
                self.adopt_snapshot(&pending, look);
                self.find_foreign(found, &look.seen);
                // A call that may still come keeps its doubt: whatever is decided about the foreign change
                // meanwhile might be undone by it.
                if has_come || call_is_over || now >= pending.lease_until {
                    self.case.pending = None;
                }
            }
        }
        Ok(())
    }

    /// The call did what it should.
    fn take_effect(
        &mut self,
        operation: Operation,
        target: Option<Hash>,
        listed: Option<Listed>,
        seen: &Seen,
    ) {
        let held_before = self.held();
        let mut detail = String::new();
        let held = match operation {
            Operation::SwapIn { module, memories } => {
                self.case.pair_hash = target;
                if held_before == Held::Own {
                    // New evidence for a new stay: what was recorded of an earlier one is history.
                    self.case.stable = MemoryRecord::default();
                    self.case.heap = MemoryRecord::default();
                }
                let (stable, heap) = match memories {
                    Memories::Keep => (false, false),
                    Memories::ReplaceHeap => (false, true),
                    Memories::Wipe => (true, true),
                };
                self.wipe(Memory::Stable, stable);
                self.wipe(Memory::Heap, heap);
                Held::Pair(module)
            }
            Operation::Install(_) => Held::Final,
            Operation::Rollback => {
                self.wipe_undone();
                self.case.lived_since_snapshot = false;
                if let Some(snapshot) = &mut self.case.snapshot {
                    snapshot.version = seen.version;
                }
                self.case.own_hash = seen.module_hash;
                self.case.rolled_back = true;
                Held::Own
            }
            Operation::Snapshot => {
                if let Some(listed) = listed {
                    detail = format!("{}, {} bytes", hex(&listed.id), listed.total_bytes);
                    let earlier = self.case.usable_snapshot();
                    if let (Some(earlier), None) = (earlier, self.case.replaceable_snapshot()) {
                        detail += &format!("; the earlier one, {}, is kept", hex(&earlier.id));
                    }
                    self.keep_snapshot(listed, seen);
                }
                held_before
            }
            _ => held_before,
        };
        if let Some(hash) = target {
            detail = format!("module {}", hex(hash.as_slice()));
        }
        self.case.last_seen = seen.clone();
        self.hold(held, seen.run);
        self.line(Some(operation), "done", detail);
    }

    fn keep_snapshot(&mut self, listed: Listed, seen: &Seen) {
        self.case.lived_since_snapshot = false;
        self.case.rolled_back = false;
        self.case.snapshot = Some(Snapshot {
            id: listed.id,
            taken_at: listed.taken_at,
            total_bytes: listed.total_bytes,
            module_hash: seen.module_hash,
            stable_bytes: seen.stable_bytes,
            heap_bytes: seen.heap_bytes,
            version: seen.version,
            deleted: false,
        });
    }

    /// Someone else was there while a snapshot was asked for. If it was taken nevertheless, it may have taken
    /// the place of the one on record: what exists is the way back, and is told.
    fn adopt_snapshot(&mut self, pending: &Pending, look: &Look) {
        let Some(listed) = judge::new_snapshot(pending, look) else {
            return;
        };
        let has_earlier = self.case.usable_snapshot().is_some_and(|earlier| {
            let mut listed = look.snapshots.iter().flatten();
            listed.any(|listed| listed.id == earlier.id)
        });
        // It holds what was there when it was taken: before the others came, or after.
        let others_came_at = look
            .new_entries(&self.case.last_seen)
            .first()
            .map(|entry| entry.at);
        let taken_before = others_came_at.is_none_or(|at| listed.taken_at < at);
        if has_earlier && !taken_before {
            let detail = format!("{}, which holds what someone else left", hex(&listed.id));
            self.line(Some(Operation::Snapshot), "snapshot-spare", detail);
            return;
        }
        let held = if taken_before {
            self.case.last_seen.clone()
        } else {
            look.seen.clone()
        };
        let detail = format!("{}, {} bytes", hex(&listed.id), listed.total_bytes);
        self.keep_snapshot(listed, &held);
        self.line(Some(Operation::Snapshot), "done", detail);
    }

    /// The snapshot on record may have been deleted by someone else, or by a `close` whose end was lost.
    fn miss_snapshot(&mut self, look: &Look) {
        let (Some(wanted), Some(listed)) = (self.case.usable_snapshot(), &look.snapshots) else {
            return;
        };
        if listed.iter().any(|listed| listed.id == wanted.id) {
            return;
        }
        let detail = hex(&wanted.id);
        if let Some(snapshot) = &mut self.case.snapshot {
            snapshot.deleted = true;
        }
        self.line(None, "snapshot-missing", detail);
    }

    fn wipe(&mut self, memory: Memory, wiped: bool) {
        let record = self.case.memory_mut(memory);
        if wiped {
            record.wiped = true;
            record.attestation = None;
            if record.root.is_none() {
                // Half a record of bytes that are gone is no use.
                record.recorded = 0;
                record.size_bytes = None;
            }
        }
    }

    fn wipe_undone(&mut self) {
        for memory in Memory::ALL {
            let record = self.case.memory_mut(memory);
            record.wiped = false;
            record.attestation = None;
        }
    }

    /// Nothing of note happened; the status may have changed.
    fn see(&mut self, seen: &Seen) {
        let held = self.held();
        let run_before = self.run();
        let version_before = self.case.snapshot.as_ref().map(|snapshot| snapshot.version);
        if held == Held::Own && version_before.is_some_and(|version| seen.version > version) {
            self.case.lived_since_snapshot = true;
        }
        self.case.last_seen = seen.clone();
        if matches!(self.case.phase, Phase::Holding { .. }) {
            self.hold(held, seen.run);
            if run_before != Some(seen.run) {
                self.line(None, "status", format!("seen {:?}", seen.run));
            }
        }
    }

    fn hold(&mut self, module: Held, run: Run) {
        if matches!(module, Held::Own | Held::Final) && run == Run::Running {
            self.case.lived_since_snapshot = self.case.snapshot.is_some();
        }
        self.case.phase = Phase::Holding { module, run };
    }

    fn find_foreign(&mut self, found: String, seen: &Seen) {
        let news = Phase::Foreign {
            found: found.clone(),
            total_changes: seen.total_changes,
        };
        if self.case.phase != news {
            self.case.held_before_foreign = self.held();
            self.case.phase = news;
            self.line(None, "foreign", found);
        }
    }

    fn accept(
        &mut self,
        token: u64,
        total_changes: u64,
        look: &Look,
        pair: &[(Pair, Hash)],
    ) -> Result<(), Refusal> {
        self.holds(token)?;
        self.case.pending = None;
        let seen = &look.seen;
        if seen.total_changes != total_changes {
            let found = "it has changed again".to_string();
            self.find_foreign(found, seen);
            return Ok(());
        }
        let same_module = self.remembers_before_foreign()
            && seen.module_hash == self.case.last_seen.module_hash
            && !self.was_deployed_since(look);
        let held = if same_module {
            self.held()
        } else {
            // Nobody knows what the memories are now.
            for memory in Memory::ALL {
                self.wipe(memory, true);
            }
            self.case.lived_since_snapshot = true;
            known_module(&self.case, seen.module_hash, pair).unwrap_or(Held::Own)
        };
        match held {
            Held::Own => self.case.own_hash = seen.module_hash,
            Held::Pair(_) => self.case.pair_hash = seen.module_hash,
            Held::Final => {}
        }
        self.case.baseline = seen.clone();
        self.case.last_seen = seen.clone();
        self.hold(held, seen.run);
        let detail = format!("history at {total_changes}");
        self.line(Some(Operation::Accept), "accepted", detail);
        Ok(())
    }

    /// Whether the last look was before the foreign change. A rollback that did nothing has looked since:
    /// what it saw cannot tell what the others did.
    fn remembers_before_foreign(&self) -> bool {
        match &self.case.phase {
            Phase::Foreign { total_changes, .. } => {
                self.case.last_seen.total_changes < *total_changes
            }
            Phase::Holding { .. } | Phase::Closed => true,
        }
    }

    fn was_deployed_since(&self, look: &Look) -> bool {
        let new_count = look
            .seen
            .total_changes
            .saturating_sub(self.case.last_seen.total_changes);
        new_count > look.recent.len() as u64
            || look
                .new_entries(&self.case.last_seen)
                .iter()
                .any(|entry| !matches!(entry.what, What::Controllers | What::Creation))
    }

    /// The pending step, if the caller still holds its lease.
    fn holds(&self, token: u64) -> Result<&Pending, Refusal> {
        match &self.case.pending {
            Some(pending) if pending.token == token => Ok(pending),
            Some(other) => Err(Refusal::InProgress(view::busy(other))),
            None => Err(Refusal::LeaseLost),
        }
    }

    fn held(&self) -> Held {
        match self.case.phase {
            Phase::Holding { module, .. } => module,
            Phase::Foreign { .. } | Phase::Closed => self.case.held_before_foreign,
        }
    }

    fn run(&self) -> Option<Run> {
        match self.case.phase {
            Phase::Holding { run, .. } => Some(run),
            Phase::Foreign { .. } | Phase::Closed => None,
        }
    }

    fn line(&mut self, operation: Option<Operation>, event: &'static str, detail: String) {
        self.lines.push(Line {
            operation,
            event,
            detail,
        });
    }
}

//! A patient, an IC and a clock in memory, driven through the pure state machine exactly as the
//! canister's runner drives it, with a fault at any place.
//!
//! What it simulates: module, status, history, snapshots, the identity of both memories' contents.
//! What it leaves out: candid, calls, storage; the scenarios on a real replica have those.

#![allow(dead_code, reason = "each test file uses its part of the simulation")]
#![allow(missing_docs, reason = "names say it; this is no interface")]

mod sample;

use candid::Principal;
use rescue::case::judge::{Entry, Listed, Look, What};
use rescue::case::model::{
    Case, Hash, Heap, Held, Memories, Memory, Operation, Pair, Phase, Plan, Run, Seen, Snapshot,
    SnapshotPolicy,
};
use rescue::case::rules::Consent;
use rescue::case::step::{Event, step};
use rescue_api::Refusal;
use serde_bytes::ByteBuf;

pub use sample::placeholder;

pub const OWN: Hash = Hash::new([1; 32]);
pub const DOWNLOADER: Hash = Hash::new([2; 32]);
pub const UPLOADER: Hash = Hash::new([3; 32]);
pub const FINAL: Hash = Hash::new([4; 32]);
pub const STRANGERS: Hash = Hash::new([5; 32]);

const SECOND: u64 = 1_000_000_000;
const MEMORY_BYTES: u64 = 3 << 20;

/// What goes wrong in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The first look fails.
    FirstLookFails,
    /// The call is rejected and does nothing (also: the patient is out of cycles).
    RejectBefore,
    /// The call is rejected after it took effect.
    RejectAfter,
    /// It takes effect, but its answer never arrives (a trap in the callback, an upgrade of rescue).
    LostReply,
    /// It does nothing, and no answer arrives either.
    LostCall,
    /// No answer arrives, and it takes effect only a minute later.
    LateEffect,
    /// It takes effect, but the second look fails.
    SecondLookFails,
    /// Someone else installs another module just before the call.
    ForeignUpgrade,
    /// Someone else changes the controllers while the call is out.
    ForeignControllers,
}

pub const FAULTS: [Fault; 10] = [
    Fault::None,
    Fault::FirstLookFails,
    Fault::RejectBefore,
    Fault::RejectAfter,
    Fault::LostReply,
    Fault::LostCall,
    Fault::LateEffect,
    Fault::SecondLookFails,
    Fault::ForeignUpgrade,
    Fault::ForeignControllers,
];

/// What a memory holds: the patient's data, or something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    pub stable_intact: bool,
    pub heap_intact: bool,
}

#[derive(Clone, Debug)]
struct Saved {
    listed: Listed,
    module: Hash,
    contents: Contents,
    bytes: (u64, u64),
}

/// The simulated world.
#[derive(Clone, Debug)]
pub struct World {
    pub case: Case,
    pub now: u64,
    pub module: Hash,
    pub run: Run,
    pub contents: Contents,
    /// Someone else has changed the patient at some time.
    pub meddled: bool,
    bytes: (u64, u64),
    version: u64,
    own_version: u64,
    history: Vec<Entry>,
    controllers: Vec<Principal>,
    snapshots: Vec<Saved>,
    late: Option<(u64, Sent)>,
}

/// A call that is out, with its arguments as they were when it went out.
#[derive(Clone, Debug)]
struct Sent {
    operation: Operation,
    sender_version: u64,
    /// The snapshot that a new one takes the place of.
    replaced: Option<ByteBuf>,
    /// The snapshot to load.
    wanted: Option<ByteBuf>,
}

pub fn operator() -> Principal {
    Principal::from_slice(&[9, 2])
}

fn stranger() -> Principal {
    Principal::from_slice(&[8, 2])
}

fn rescue() -> Principal {
    Principal::from_slice(&[7, 1])
}

impl World {
    pub fn new(policy: SnapshotPolicy, plan: Plan) -> Self {
        let controllers = vec![rescue(), operator()];
        let mut world = Self {
            case: placeholder(),
            now: 1_000 * SECOND,
            module: OWN,
            run: Run::Running,
            contents: Contents {
                stable_intact: true,
                heap_intact: true,
            },
            meddled: false,
            bytes: (MEMORY_BYTES, 65_536),
            version: 10,
            own_version: 100,
            history: vec![Entry {
                at: 0,
                by: operator(),
                sender_version: None,
                version: 0,
                what: What::Creation,
            }],
            controllers,
            snapshots: Vec::new(),
            late: None,
        };
        let seen = world.look().seen;
        world.case = Case {
            rescue: rescue(),
            baseline: seen.clone(),
            last_seen: seen,
            own_hash: Some(OWN),
            final_hash: Some(FINAL),
            policy,
            plan,
            phase: Phase::Holding {
                module: Held::Own,
                run: Run::Running,
            },
            staged_chunks: 1,
            staged_bytes: 1,
            ..placeholder()
        };
        world
    }

    /// Time passes; what comes late comes.
    pub fn wait(&mut self, seconds: u64) {
        self.now += seconds * SECOND;
        let now = self.now;
        if let Some((_, sent)) = self.late.take_if(|(due, _)| *due <= now) {
            self.affect(&sent);
        }
    }

    /// Someone else installs a module.
    pub fn meddle(&mut self) {
        self.meddled = true;
        self.module = STRANGERS;
        self.contents = Contents {
            stable_intact: false,
            heap_intact: false,
        };
        self.record(
            stranger(),
            None,
            What::Deployment {
                wiping: false,
                module_hash: STRANGERS,
            },
        );
    }

    fn meddle_with_controllers(&mut self) {
        self.meddled = true;
        self.controllers.push(stranger());
        self.record(stranger(), None, What::Controllers);
    }

    /// Runs a step as the runner does.
    pub fn perform(
        &mut self,
        operation: Operation,
        consent: Consent,
        fault: Fault,
    ) -> Result<(), Refusal> {
        if matches!(operation, Operation::Rollback | Operation::Settle)
            && self.case.in_doubt().is_some()
        {
            self.settle()?;
            if operation == Operation::Settle {
                return Ok(());
            }
        }
        let token = self.case.next_token;
        self.apply(Event::Begin {
            operation,
            actor: operator(),
            consent,
        })?;
        self.wait(1);
        if fault == Fault::FirstLookFails {
            self.apply(Event::Release { token })?;
            return Err(rejected());
        }
        let look = self.look();
        self.apply(Event::LookedFirst {
            token,
            consent,
            look,
        })?;
        if self.case.pending.is_none() {
            return Err(Refusal::LeaseLost);
        }
        match operation {
            Operation::Settle | Operation::Close => self.apply(Event::Release { token }),
            Operation::Checksum(memory) => self.checksum(token, memory),
            Operation::Attest(memory) => self.attest(token, memory),
            _ => self.call(token, operation, fault),
        }
    }

    fn call(&mut self, token: u64, operation: Operation, fault: Fault) -> Result<(), Refusal> {
        self.own_version += 1;
        let sender_version = self.own_version;
        self.apply(Event::Calling {
            token,
            sender_version,
            target: self.target(operation),
        })?;
        let id_of = |saved: &Snapshot| saved.id.clone();
        let sent = Sent {
            operation,
            sender_version,
            replaced: self.case.replaceable_snapshot().map(id_of),
            wanted: self.case.usable_snapshot().map(id_of),
        };
        match fault {
            Fault::RejectBefore | Fault::LostCall => {}
            Fault::LateEffect => self.late = Some((self.now + 60 * SECOND, sent)),
            Fault::ForeignUpgrade => {
                self.meddle();
                self.affect(&sent);
            }
            Fault::ForeignControllers => {
                self.affect(&sent);
                self.meddle_with_controllers();
            }
            _ => self.affect(&sent),
        }
        self.wait(1);
        if matches!(
            fault,
            Fault::LostReply | Fault::LostCall | Fault::LateEffect | Fault::SecondLookFails
        ) {
            return Err(rejected());
        }
        let look = self.look();
        self.apply(Event::LookedAfter {
            token,
            look,
            call_is_over: true,
        })
    }

    /// Settles a doubt as the runner does.
    pub fn settle(&mut self) -> Result<(), Refusal> {
        let Some(pending) = self.case.in_doubt().cloned() else {
            return Ok(());
        };
        let look = self.look();
        self.apply(Event::LookedAfter {
            token: pending.token,
            look,
            call_is_over: false,
        })?;
        if self.case.in_doubt().is_some() {
            return Err(Refusal::LeaseLost);
        }
        Ok(())
    }

    /// Accepts what someone else has done.
    pub fn accept(&mut self) -> Result<(), Refusal> {
        let token = self.case.next_token;
        self.apply(Event::Begin {
            operation: Operation::Accept,
            actor: operator(),
            consent: Consent::default(),
        })?;
        let look = self.look();
        self.apply(Event::Accepted {
            token,
            total_changes: look.seen.total_changes,
            look,
            pair: vec![(Pair::Downloader, DOWNLOADER), (Pair::Uploader, UPLOADER)],
        })
    }

    /// Closes the case.
    pub fn close(&mut self) -> Result<(), Refusal> {
        self.perform(Operation::Close, Consent::default(), Fault::None)?;
        self.apply(Event::Closed {
            actor: operator(),
            consent: Consent::default(),
        })
    }

    /// The operator restores the memories through the uploader.
    pub fn restore(&mut self) {
        assert_eq!(self.module, UPLOADER, "only the uploader writes");
        self.bytes = (MEMORY_BYTES, 65_536);
        self.contents = Contents {
            stable_intact: true,
            heap_intact: true,
        };
    }

    /// The snapshot on record exists.
    pub fn has_snapshot(&self) -> bool {
        self.case.usable_snapshot().is_some_and(|wanted| {
            self.snapshots
                .iter()
                .any(|saved| saved.listed.id == wanted.id)
        })
    }

    fn checksum(&mut self, token: u64, memory: Memory) -> Result<(), Refusal> {
        let size_bytes = self.size(memory);
        let sized = self.apply(Event::Sized {
            token,
            memory,
            size_bytes,
            restart: false,
        });
        if let Err(refusal) = sized {
            self.apply(Event::Release { token })?;
            return Err(refusal);
        }
        self.apply(Event::Renewed { token })?;
        let recorded = self.case.memory(memory).chunks_total();
        self.apply(Event::Recorded {
            token,
            memory,
            recorded,
        })?;
        let root = Hash::new([if self.intact(memory) { 1 } else { 0 }; 32]);
        self.apply(Event::Sealed {
            token,
            memory,
            root,
        })?;
        self.apply(Event::Release { token })
    }

    fn attest(&mut self, token: u64, memory: Memory) -> Result<(), Refusal> {
        let size_bytes = self.size(memory);
        let sized = self.apply(Event::Sized {
            token,
            memory,
            size_bytes,
            restart: true,
        });
        if let Err(refusal) = sized {
            self.apply(Event::Release { token })?;
            return Err(refusal);
        }
        let recorded_intact = self.case.memory(memory).root == Some(Hash::new([1; 32]));
        let differs = recorded_intact != self.intact(memory);
        let count = self.case.memory(memory).chunks_total();
        self.apply(Event::Compared {
            token,
            memory,
            count,
            differing: if differs { vec![0] } else { Vec::new() },
        })?;
        self.apply(Event::Release { token })
    }

    const fn intact(&self, memory: Memory) -> bool {
        match memory {
            Memory::Stable => self.contents.stable_intact,
            Memory::Heap => self.contents.heap_intact,
        }
    }

    const fn size(&self, memory: Memory) -> u64 {
        match memory {
            Memory::Stable => self.bytes.0,
            Memory::Heap => self.bytes.1,
        }
    }

    fn apply(&mut self, event: Event) -> Result<(), Refusal> {
        self.case = step(&self.case, event, self.now)?.case;
        Ok(())
    }

    fn target(&self, operation: Operation) -> Option<Hash> {
        match operation {
            Operation::SwapIn { module, .. } => Some(match module {
                Pair::Downloader => DOWNLOADER,
                Pair::Uploader => UPLOADER,
            }),
            Operation::Install(_) => Some(FINAL),
            Operation::Rollback => self.case.usable_snapshot()?.module_hash,
            _ => None,
        }
    }

    /// What a call does to the patient.
    fn affect(&mut self, sent: &Sent) {
        let sender_version = sent.sender_version;
        self.version += 1;
        match sent.operation {
            Operation::Stop => self.run = Run::Stopped,
            Operation::Start => {
                self.run = Run::Running;
            }
            Operation::Snapshot => {
                let is_listed =
                    |id: &ByteBuf| self.snapshots.iter().any(|saved| saved.listed.id == *id);
                if !sent.replaced.as_ref().is_none_or(is_listed) {
                    return;
                }
                self.snapshots
                    .retain(|saved| Some(&saved.listed.id) != sent.replaced.as_ref());
                self.snapshots.push(Saved {
                    listed: Listed {
                        id: ByteBuf::from(self.version.to_be_bytes().to_vec()),
                        taken_at: self.now,
                        total_bytes: 1,
                    },
                    module: self.module,
                    contents: self.contents,
                    bytes: self.bytes,
                });
            }
            Operation::SwapIn { memories, .. } => {
                let module_hash = self.target(sent.operation).expect("a swap has a target");
                self.module = module_hash;
                let wiping = memories == Memories::Wipe;
                if memories != Memories::Keep {
                    self.contents.heap_intact = false;
                    self.bytes.1 = 0;
                }
                if wiping {
                    self.contents.stable_intact = false;
                    self.bytes.0 = 0;
                }
                let what = What::Deployment {
                    wiping,
                    module_hash,
                };
                self.record(rescue(), Some(sender_version), what);
            }
            Operation::Install(heap) => {
                self.module = FINAL;
                if heap == Heap::Replace {
                    self.contents.heap_intact = false;
                }
                let what = What::Deployment {
                    wiping: false,
                    module_hash: FINAL,
                };
                self.record(rescue(), Some(sender_version), what);
            }
            Operation::Rollback => {
                self.run = Run::Stopped;
                let saved = self
                    .snapshots
                    .iter()
                    .find(|saved| Some(&saved.listed.id) == sent.wanted.as_ref())
                    .cloned();
                if let Some(saved) = saved {
                    self.module = saved.module;
                    self.contents = saved.contents;
                    self.bytes = saved.bytes;
                    let what = What::Load {
                        snapshot: saved.listed.id,
                    };
                    self.record(rescue(), Some(sender_version), what);
                }
            }
            _ => {}
        }
    }

    fn record(&mut self, by: Principal, sender_version: Option<u64>, what: What) {
        self.version += 1;
        self.history.push(Entry {
            at: self.now,
            by,
            sender_version,
            version: self.version,
            what,
        });
    }

    fn look(&self) -> Look {
        let keep = self.history.len().min(20);
        let mut controllers = self.controllers.clone();
        controllers.sort();
        Look {
            seen: Seen {
                at: self.now,
                run: self.run,
                module_hash: Some(self.module),
                version: self.version,
                total_changes: self.history.len() as u64,
                controllers,
                stable_bytes: self.bytes.0,
                heap_bytes: self.bytes.1,
                memory_bytes: self.bytes.0 + self.bytes.1,
                chunk_store_bytes: 0,
                cycles: 1_000_000_000_000,
                frozen_cycles: 0,
                idle_cycles_per_day: 1,
                compute_allocation: 0,
                memory_allocation: 0,
                freezing_threshold: 1,
                wasm_memory_limit: 0,
            },
            recent: self.history[self.history.len() - keep..].to_vec(),
            snapshots: Some(
                self.snapshots
                    .iter()
                    .map(|saved| saved.listed.clone())
                    .collect(),
            ),
        }
    }
}

fn rejected() -> Refusal {
    Refusal::CallRejected {
        method: "simulated".to_string(),
        code: 5,
        message: String::new(),
    }
}

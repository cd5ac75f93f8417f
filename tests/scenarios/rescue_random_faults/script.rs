//! What happens in a run, drawn from its seed: steps, in any order, each with a fault; what others do meanwhile;
//! and what the operator does outside of rescue.

use super::super::rescue_faults::rows::{self, Request};
use candid::utils::ArgumentEncoder;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rescue_api::{
    AttestArgs, CaseId, ChecksumArgs, CloseArgs, DeclareArgs, FinalModule, HeapChoice, InstallArgs,
    Memory, ModuleChunkArgs, Pair, Plan, SnapshotPolicy, SwapArgs, SwapMemories, methods,
};
use serde_bytes::ByteBuf;
use tests::{living, sha256};

/// Things that happen in a run before it is led to its end.
const ACTIONS_MAX: usize = 9;
/// Rounds of a step after which something else happens, at most. A step of two looks and a call takes about 20.
const ROUNDS_MAX: usize = 16;
/// Longest wait, in steps of two minutes: beyond every lease.
const WAIT_MAX: u64 = 10;

/// A whole run.
#[derive(Clone, Debug)]
pub struct Script {
    pub plan: Plan,
    pub policy: SnapshotPolicy,
    /// Calls the patient has answered before its case is opened.
    pub calls: u64,
    pub actions: Vec<Action>,
    pub end: End,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Rollback,
    Advance,
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// The operator asks rescue for a step, and something goes wrong.
    Step(Step, Fault),
    /// Somebody does something while rescue does nothing.
    Act(Act),
    /// Times two minutes.
    Wait(u64),
    /// The operator writes the memories back, if the uploader is there to take them.
    Restore,
    /// The operator accepts what others have done, if the case has noticed.
    Accept,
}

/// A step that is asked for, in order or not.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Advance,
    Stop,
    Start,
    Snapshot,
    Swap(Pair, SwapMemories),
    Checksum(Memory),
    Attest(Memory),
    Declare,
    Stage,
    Install {
        heap: HeapChoice,
        inline: bool,
        although_unattested: bool,
    },
    Rollback {
        discard_newer_state: bool,
    },
    Settle,
    Close {
        leave_as_is: bool,
        delete_snapshot: bool,
    },
}

/// What goes wrong, and after how many rounds of the step.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    Nothing,
    /// The operator does not hear of the answer and sends the same message again at once, and later.
    ReplyLost,
    /// From then on every callback of rescue traps, until the step is over.
    CallbacksTrap(usize),
    /// The patient can pay for nothing.
    PatientFrozen(usize),
    /// Rescue can pay for nothing.
    RescueFrozen(usize),
    /// Two minutes pass: longer than a question to the patient waits for its answer.
    Late(usize),
    /// Rescue is upgraded, or refuses to be.
    RescueUpgraded(usize),
    /// Rescue is stopped, upgraded and started.
    RescueRestarted(usize),
    /// Someone else does something to the patient.
    Act(usize, Act),
}

/// What others do to the patient behind rescue's back, or the operator beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A call that the patient answers by counting in both memories.
    Live,
    Upgrade,
    Reinstall,
    Uninstall,
    AddController,
    RemoveRescue,
    Stop,
    Start,
    TakeSnapshot,
    LoadSnapshot,
    DeleteSnapshot,
}

const ACTS: [Act; 11] = [
    Act::Live,
    Act::Upgrade,
    Act::Reinstall,
    Act::Uninstall,
    Act::AddController,
    Act::RemoveRescue,
    Act::Stop,
    Act::Start,
    Act::TakeSnapshot,
    Act::LoadSnapshot,
    Act::DeleteSnapshot,
];

const SWAPS: [(Pair, SwapMemories); 6] = [
    (Pair::Downloader, SwapMemories::Keep),
    (Pair::Downloader, SwapMemories::ReplaceHeap),
    (Pair::Downloader, SwapMemories::Wipe),
    (Pair::Uploader, SwapMemories::Keep),
    (Pair::Uploader, SwapMemories::ReplaceHeap),
    (Pair::Uploader, SwapMemories::Wipe),
];

const MEMORIES: [Memory; 2] = [Memory::Stable, Memory::Heap];
const HEAPS: [HeapChoice; 2] = [HeapChoice::Keep, HeapChoice::Replace];

impl Script {
    /// The run of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice(StdRng::seed_from_u64(seed));
        let policy = if dice.one_in(6) {
            SnapshotPolicy::Waive {
                risk: "no room".to_string(),
            }
        } else {
            SnapshotPolicy::Take
        };
        let plan = Plan {
            heap: dice.one_of(&HEAPS),
            restore: dice.one_in(2),
        };
        let count = dice.up_to(ACTIONS_MAX);
        let mut actions: Vec<Action> = Vec::new();
        // Half of all runs begin with some undisturbed way, so that faults strike late steps, too.
        if dice.one_in(2) {
            actions.extend((0..dice.up_to(7)).map(|_| Action::Step(Step::Advance, Fault::Nothing)));
        }
        actions.extend((0..count).map(|_| dice.action()));
        Script {
            plan,
            policy,
            calls: dice.up_to(3) as u64 - 1,
            actions,
            end: if dice.one_in(2) {
                End::Rollback
            } else {
                End::Advance
            },
        }
    }
}

struct Dice(StdRng);

impl Dice {
    fn one_in(&mut self, count: u32) -> bool {
        self.0.random_ratio(1, count)
    }

    /// 1 to `most`.
    fn up_to(&mut self, most: usize) -> usize {
        self.0.random_range(1..=most)
    }

    fn one_of<T: Copy>(&mut self, choice: &[T]) -> T {
        *choice.choose(&mut self.0).expect("a choice is not empty")
    }

    fn action(&mut self) -> Action {
        match self.0.random_range(0..22) {
            0..8 => Action::Step(Step::Advance, self.fault()),
            8..15 => Action::Step(self.step(), self.fault()),
            15 | 16 => Action::Act(self.act()),
            17 => Action::Restore,
            18 | 19 => Action::Accept,
            _ => Action::Wait(self.up_to(WAIT_MAX as usize) as u64),
        }
    }

    fn step(&mut self) -> Step {
        match self.0.random_range(0..22) {
            0..2 => Step::Stop,
            2..4 => Step::Start,
            4..6 => Step::Snapshot,
            6..11 => {
                let (module, memories) = self.one_of(&SWAPS);
                Step::Swap(module, memories)
            }
            11 => Step::Checksum(self.one_of(&MEMORIES)),
            12 => Step::Attest(self.one_of(&MEMORIES)),
            13 => Step::Declare,
            14 => Step::Stage,
            15 | 16 => Step::Install {
                heap: self.one_of(&HEAPS),
                inline: self.one_in(2),
                although_unattested: self.one_in(2),
            },
            17..19 => Step::Rollback {
                discard_newer_state: self.one_in(2),
            },
            19 | 20 => Step::Settle,
            _ => Step::Close {
                leave_as_is: self.one_in(4),
                delete_snapshot: self.one_in(2),
            },
        }
    }

    fn fault(&mut self) -> Fault {
        let rounds = self.up_to(ROUNDS_MAX);
        match self.0.random_range(0..18) {
            0..5 => Fault::Nothing,
            5 | 6 => Fault::ReplyLost,
            7..10 => Fault::CallbacksTrap(rounds),
            10 => Fault::PatientFrozen(rounds - 1),
            11 => Fault::RescueFrozen(rounds - 1),
            12 => Fault::Late(rounds),
            13 => Fault::RescueUpgraded(rounds),
            14 => Fault::RescueRestarted(rounds),
            _ => Fault::Act(rounds - 1, self.act()),
        }
    }

    /// Harmless ones more often: whoever destroys the patient ends the interesting part of a run.
    fn act(&mut self) -> Act {
        if self.one_in(2) {
            self.one_of(&[Act::Live, Act::Stop, Act::Start, Act::AddController])
        } else {
            self.one_of(&ACTS)
        }
    }
}

fn request(method: &'static str, args: impl ArgumentEncoder) -> Request {
    Request {
        method,
        args: candid::encode_args(args).unwrap(),
    }
}

impl Step {
    /// The message that asks for it.
    pub fn request(self, case: CaseId) -> Request {
        match self {
            Step::Advance => rows::step(methods::ADVANCE, case),
            Step::Stop => rows::step(methods::STOP, case),
            Step::Start => rows::step(methods::START, case),
            Step::Snapshot => rows::step(methods::SNAPSHOT, case),
            Step::Settle => rows::step(methods::SETTLE, case),
            Step::Swap(module, memories) => {
                let args = SwapArgs {
                    case,
                    module,
                    memories,
                    while_stopping: false,
                };
                request(methods::SWAP_IN, (args,))
            }
            Step::Checksum(memory) => {
                let args = ChecksumArgs {
                    case,
                    memory,
                    restart: false,
                    batches_max: None,
                };
                request(methods::CHECKSUM, (args,))
            }
            Step::Attest(memory) => {
                let args = AttestArgs {
                    case,
                    memory,
                    restart: true,
                    batches_max: None,
                };
                request(methods::ATTEST, (args,))
            }
            Step::Declare => {
                let args = DeclareArgs {
                    case,
                    final_module_hash: ByteBuf::from(sha256(&living::cured())),
                };
                request(methods::DECLARE, (args,))
            }
            Step::Stage => {
                let args = ModuleChunkArgs {
                    case,
                    index: 0,
                    data: ByteBuf::from(living::cured()),
                };
                request(methods::PUT_MODULE_CHUNK, (args,))
            }
            Step::Install {
                heap,
                inline,
                although_unattested,
            } => {
                let module = if inline {
                    FinalModule::Inline(ByteBuf::from(living::cured()))
                } else {
                    FinalModule::Staged
                };
                let args = InstallArgs {
                    case,
                    module,
                    heap,
                    arg: ByteBuf::new(),
                    although_unattested,
                };
                request(methods::INSTALL, (args,))
            }
            Step::Rollback {
                discard_newer_state,
            } => {
                let args = rescue_api::RollbackArgs {
                    case,
                    discard_newer_state,
                };
                request(methods::ROLLBACK, (args,))
            }
            Step::Close {
                leave_as_is,
                delete_snapshot,
            } => {
                let args = CloseArgs {
                    case,
                    leave_as_is,
                    delete_snapshot,
                };
                request(methods::CLOSE, (args,))
            }
        }
    }
}

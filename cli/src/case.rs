//! Drives a case at the rescue canister: finds or opens it, takes the steps that lead to where a command
//! needs it, waits while it is busy. What may be done when is the rescue canister's business; this file only
//! asks, and understands the answers.

use crate::error::CliError;
use crate::limits::{
    CASE_POLL, CASE_POLLS_MAX, CASE_STEPS_MAX, CASES_MAX, CASES_PER_CALL,
    CHECKSUM_BATCHES_PER_CALL, CHECKSUMS_PER_CALL, WRONG_REPLIES_MAX,
};
use crate::output::{Event, Output};
use crate::rescue::Rescue;
use archive::digests::{CHUNK_LEN_BYTES, DIGEST_LEN_BYTES};
use archive::{ChunkDigests, Memory};
use candid::Principal;
use candid::utils::ArgumentEncoder;
use rescue_api::{
    Advance, AttestArgs, AttestProgress, CaseId, CaseSummary, CaseView, Held, OpenCaseArgs,
    Operation, Pair, Phase, Refusal, Run, SwapArgs, SwapMemories, methods,
};

/// One case at a rescue canister.
#[derive(Clone, Debug)]
pub struct Case {
    rescue: Rescue,
    number: CaseId,
    patient: Principal,
    output: Option<Output>,
}

/// The rescue canister's word for a memory.
pub fn theirs(memory: Memory) -> rescue_api::Memory {
    match memory {
        Memory::Stable => rescue_api::Memory::Stable,
        Memory::Heap => rescue_api::Memory::Heap,
    }
}

impl Case {
    /// The open case of the patient, opened if there is none.
    ///
    /// # Errors
    /// When the rescue canister refuses, or a call fails.
    pub async fn open(rescue: Rescue, args: OpenCaseArgs) -> Result<Self, CliError> {
        let patient = args.patient;
        let answer: Result<CaseView, Refusal> = rescue.ask(methods::OPEN_CASE, (args,)).await?;
        let number = match answer {
            Ok(view) => view.case,
            Err(Refusal::AlreadyOpen { case }) => case,
            Err(refusal) => return Err(rescue.refused(methods::OPEN_CASE, refusal)),
        };
        Ok(Self {
            rescue,
            number,
            patient,
            output: None,
        })
    }

    /// The newest case of the patient that is not closed, if there is one; otherwise the newest closed one
    /// when `closed_too`.
    ///
    /// # Errors
    /// [`CliError::NoCase`], or when a call fails.
    pub async fn find(
        rescue: Rescue,
        patient: Principal,
        closed_too: bool,
    ) -> Result<Self, CliError> {
        let (mut first, mut seen) = (1, 0);
        let mut found: Option<CaseSummary> = None;
        loop {
            let page: Vec<CaseSummary> = rescue
                .look(methods::LIST_CASES, (first, CASES_PER_CALL))
                .await?;
            let Some(last) = page.last() else { break };
            (first, seen) = (last.case + 1, seen + page.len() as u64);
            for summary in page
                .into_iter()
                .filter(|summary| summary.patient == patient)
            {
                let open = summary.phase != Phase::Closed;
                if open || (closed_too && found.as_ref().is_none_or(|f| f.phase == Phase::Closed)) {
                    found = Some(summary);
                }
            }
            if seen >= CASES_MAX {
                break;
            }
        }
        match found {
            Some(summary) => Ok(Self {
                rescue,
                number: summary.case,
                patient,
                output: None,
            }),
            None => Err(CliError::NoCase {
                rescue: rescue.canister().to_text(),
                canister: patient.to_text(),
            }),
        }
    }

    /// Has it tell why it waits.
    pub fn telling(mut self, output: &Output) -> Self {
        self.output = Some(output.clone());
        self
    }

    /// Its number.
    pub fn number(&self) -> CaseId {
        self.number
    }

    /// The rescue canister that holds it.
    pub fn rescue(&self) -> &Rescue {
        &self.rescue
    }

    /// The case as it is now, certified.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn view(&self) -> Result<CaseView, CliError> {
        self.rescue.case(self.number).await
    }

    /// Takes a step, waiting while the case is busy or an outcome has to be established.
    ///
    /// # Errors
    /// When the rescue canister refuses for another reason, or a call fails.
    pub async fn step<A, T>(&self, method: &str, args: A) -> Result<T, CliError>
    where
        A: ArgumentEncoder + Clone,
        T: candid::CandidType + serde::de::DeserializeOwned,
    {
        for poll in 0..CASE_POLLS_MAX {
            match self.rescue.ask(method, args.clone()).await? {
                Ok(answer) => return Ok(answer),
                Err(Refusal::InProgress(_)) => {
                    self.wait(poll, "another call of this case is under way")
                        .await;
                }
                Err(refusal) if is_refused_by_rate(&refusal) => self.wait(poll, RATE_LIMITED).await,
                Err(Refusal::OutcomeUnknown(_)) => {
                    self.wait(poll, "it is not known yet what became of the last call")
                        .await;
                    // Whatever it finds out, the next attempt sees it.
                    let _: Result<CaseView, Refusal> =
                        self.rescue.ask(methods::SETTLE, (self.number,)).await?;
                }
                Err(refusal) => return Err(self.rescue.refused(method, refusal)),
            }
        }
        Err(CliError::CaseStuck {
            case: self.number,
            steps: CASE_POLLS_MAX,
        })
    }

    /// Takes a step of the case itself. If a call had to be repeated, and the repetition found the step taken, the lost
    /// reply was to the call that took it: how the case stands is then looked up.
    ///
    /// # Errors
    /// As [`Case::step`].
    pub async fn take<A>(&self, method: &str, args: A) -> Result<CaseView, CliError>
    where
        A: ArgumentEncoder + Clone,
    {
        let repeated_before = self.rescue.retry().repeated();
        match self.step(method, args).await {
            Err(CliError::Refused { refusal, .. })
                if matches!(*refusal, Refusal::NotNow { .. })
                    && self.rescue.retry().repeated() > repeated_before =>
            {
                self.view().await
            }
            other => other,
        }
    }

    /// Waits before the same is asked again; tells why once in a while.
    async fn wait(&self, poll: u32, why: &str) {
        if let Some(output) = &self.output {
            tell_wait(output, poll, why);
        }
        tokio::time::sleep(CASE_POLL).await;
    }

    /// Takes planned steps until the patient answers reads and every checksum that can be recorded is.
    ///
    /// # Errors
    /// [`CliError::CaseWaits`] when the way there needs the operator.
    pub async fn drive_to_recorded(&self, output: &Output) -> Result<CaseView, CliError> {
        for _ in 0..CASE_STEPS_MAX {
            let view = self.view().await?;
            let is_recorded = view.memories.iter().all(|m| m.wiped || has_root(m));
            if is_serving(&view) && is_recorded {
                return Ok(view);
            }
            if is_recorded && holds_pair(&view) {
                // A restore was interrupted between two swaps: the plan has nothing more to do, but may go on.
                output.step(describe(&Operation::Start));
                let _: CaseView = self.take(methods::START, (self.number,)).await?;
                continue;
            }
            let leads_there = matches!(
                view.next,
                Some(
                    Operation::Stop
                        | Operation::Snapshot
                        | Operation::SwapIn { .. }
                        | Operation::Start
                        | Operation::Checksum { .. }
                        | Operation::Settle
                )
            );
            if !leads_there {
                return Err(self.waits(&view));
            }
            if let Some(next) = view.next {
                output.step(describe(&next));
            }
            match view.next {
                Some(Operation::Checksum { memory }) => self.record(memory, output).await?,
                // Not by advance: if the outcome shows meanwhile, that takes the step after it, or asks the operator.
                Some(Operation::Settle) => {
                    let _: CaseView = self.take(methods::SETTLE, (self.number,)).await?;
                }
                _ => match self.step(methods::ADVANCE, (self.number,)).await? {
                    Advance::YourTurn { waits_for, .. } => {
                        let now = self.view().await?;
                        if (now.phase, now.next) != (view.phase, view.next) {
                            // Something came in between: planned anew.
                            continue;
                        }
                        return Err(CliError::CaseWaits {
                            case: self.number,
                            canister: self.patient.to_text(),
                            waits_for,
                        });
                    }
                    Advance::Stepped(_)
                    | Advance::Checksumming(_)
                    | Advance::Attesting(_)
                    | Advance::Finished => {}
                },
            }
        }
        Err(CliError::CaseStuck {
            case: self.number,
            steps: CASE_STEPS_MAX,
        })
    }

    /// Has one memory hashed to its end.
    async fn record(&self, memory: rescue_api::Memory, output: &Output) -> Result<(), CliError> {
        for _ in 0..CASE_STEPS_MAX {
            let args = rescue_api::ChecksumArgs {
                case: self.number,
                memory,
                restart: false,
                batches_max: Some(CHECKSUM_BATCHES_PER_CALL),
            };
            let progress: rescue_api::ChecksumProgress =
                self.step(methods::CHECKSUM, (args,)).await?;
            output.detail(format!(
                "{} of {} chunks of the {} memory are hashed",
                progress.chunks_recorded,
                progress.chunks_total,
                memory.name()
            ));
            if progress.root.is_some() {
                return Ok(());
            }
        }
        Err(CliError::CaseStuck {
            case: self.number,
            steps: CASE_STEPS_MAX,
        })
    }

    /// Brings the uploader in and starts it; with `wipe`, over emptied memories.
    ///
    /// # Errors
    /// When the rescue canister refuses a step.
    pub async fn drive_to_uploader(
        &self,
        wipe: bool,
        output: &Output,
    ) -> Result<CaseView, CliError> {
        for _ in 0..CASE_STEPS_MAX {
            let view = self.view().await?;
            let wiped = view
                .memories
                .iter()
                .any(|m| m.memory == rescue_api::Memory::Stable && m.wiped);
            let Phase::Holding { module, run } = view.phase else {
                if view.next == Some(Operation::Settle) {
                    let _: CaseView = self.take(methods::SETTLE, (self.number,)).await?;
                    continue;
                }
                return Err(self.waits(&view));
            };
            let in_place = module == Held::Uploader && (wiped || !wipe);
            match (in_place, run) {
                (true, Run::Running) => return Ok(view),
                (true, Run::Stopped | Run::Stopping) => {
                    output.step(describe(&Operation::Start));
                    let _: CaseView = self.take(methods::START, (self.number,)).await?;
                }
                (false, Run::Running | Run::Stopping) => {
                    output.step(describe(&Operation::Stop));
                    let _: CaseView = self.take(methods::STOP, (self.number,)).await?;
                }
                (false, Run::Stopped) => {
                    let memories = if wipe {
                        SwapMemories::Wipe
                    } else {
                        SwapMemories::Keep
                    };
                    output.step(describe(&Operation::SwapIn {
                        module: Pair::Uploader,
                        memories,
                    }));
                    let args = SwapArgs {
                        case: self.number,
                        module: Pair::Uploader,
                        memories,
                        while_stopping: false,
                    };
                    let _: CaseView = self.take(methods::SWAP_IN, (args,)).await?;
                }
            }
        }
        Err(CliError::CaseStuck {
            case: self.number,
            steps: CASE_STEPS_MAX,
        })
    }

    /// Has a memory hashed again and compared with what is recorded.
    ///
    /// # Errors
    /// When the rescue canister refuses, or a call fails.
    pub async fn attest(
        &self,
        memory: Memory,
        output: &Output,
    ) -> Result<AttestProgress, CliError> {
        let mut restart = true;
        for _ in 0..CASE_STEPS_MAX {
            let args = AttestArgs {
                case: self.number,
                memory: theirs(memory),
                restart,
                batches_max: Some(CHECKSUM_BATCHES_PER_CALL),
            };
            restart = false;
            let progress: AttestProgress = self.step(methods::ATTEST, (args,)).await?;
            output.detail(format!(
                "{} of {} chunks of the {memory} are hashed again",
                progress.chunks_checked, progress.chunks_total
            ));
            if progress.chunks_checked >= progress.chunks_total {
                return Ok(progress);
            }
        }
        Err(CliError::CaseStuck {
            case: self.number,
            steps: CASE_STEPS_MAX,
        })
    }

    /// The recorded checksums of a memory, checked against its recorded root; none if it has none.
    ///
    /// # Errors
    /// [`CliError::ListedRootDiffers`], or when a call fails.
    pub async fn digests(
        &self,
        view: &CaseView,
        memory: Memory,
    ) -> Result<Option<ChunkDigests>, CliError> {
        let Some((size_bytes, root)) = recorded_root(view, memory) else {
            return Ok(None);
        };
        // One node lists them, and it may lie: the root tells, and another node may answer better.
        let mut found = String::new();
        for _ in 0..WRONG_REPLIES_MAX {
            let raw = self.listed(memory, size_bytes).await?;
            match ChunkDigests::from_raw(memory, size_bytes, CHUNK_LEN_BYTES, &raw) {
                Ok(digests) if digests.root()[..] == root[..] => return Ok(Some(digests)),
                Ok(digests) => found = hex::encode(digests.root()),
                Err(error) => found = error.to_string(),
            }
            let wrong = format!("the {memory} checksums that were listed have another root");
            self.rescue.retry().pause_after(&wrong).await;
        }
        Err(CliError::ListedRootDiffers {
            memory,
            expected: hex::encode(&root),
            found,
        })
    }

    /// The checksums of a memory as one node lists them.
    async fn listed(&self, memory: Memory, size_bytes: u64) -> Result<Vec<u8>, CliError> {
        let wanted_bytes = size_bytes.div_ceil(CHUNK_LEN_BYTES) * DIGEST_LEN_BYTES;
        let mut raw: Vec<u8> = Vec::new();
        while (raw.len() as u64) < wanted_bytes {
            let first = raw.len() as u64 / DIGEST_LEN_BYTES;
            let args = (self.number, theirs(memory), first, CHECKSUMS_PER_CALL);
            let page: serde_bytes::ByteBuf = self.rescue.look(methods::CHECKSUMS, args).await?;
            if page.is_empty() || !(page.len() as u64).is_multiple_of(DIGEST_LEN_BYTES) {
                break;
            }
            raw.extend_from_slice(&page);
        }
        Ok(raw)
    }

    fn waits(&self, view: &CaseView) -> CliError {
        let possible: Vec<String> = view.may.iter().map(describe).collect();
        CliError::CaseWaits {
            case: self.number,
            canister: self.patient.to_text(),
            waits_for: format!(
                "it is {}; possible now: {}",
                describe_phase(&view.phase),
                possible.join(", ")
            ),
        }
    }
}

/// Size and root of a memory, if recorded.
pub fn recorded_root(view: &CaseView, memory: Memory) -> Option<(u64, Vec<u8>)> {
    let found = view.memories.iter().find(|m| m.memory == theirs(memory))?;
    let checksums = found.checksums.as_ref()?;
    Some((checksums.size_bytes, checksums.root.as_ref()?.to_vec()))
}

/// The case as a report.
pub fn report(view: &CaseView) -> Event {
    let root = |memory| recorded_root(view, memory).map(|(_, root)| hex::encode(root));
    Event::Case {
        case: view.case,
        canister: view.patient.to_text(),
        phase: describe_phase(&view.phase),
        module_hash: view.baseline.module_hash.as_ref().map(hex::encode),
        stable_root: root(Memory::Stable),
        heap_root: root(Memory::Heap),
        snapshot: view
            .snapshot
            .as_ref()
            .is_some_and(|snapshot| !snapshot.deleted),
        may: view.may.iter().map(describe).collect(),
    }
}

/// Whether the patient runs a module of the pair and answers.
pub fn is_serving(view: &CaseView) -> bool {
    matches!(
        view.phase,
        Phase::Holding {
            module: Held::Downloader | Held::Uploader,
            run: Run::Running
        }
    )
}

/// Whether the patient holds a module of the pair, whether it runs or not.
fn holds_pair(view: &CaseView) -> bool {
    let Phase::Holding { module, .. } = view.phase else {
        return false;
    };
    matches!(module, Held::Downloader | Held::Uploader)
}

fn has_root(memory: &rescue_api::MemoryView) -> bool {
    memory
        .checksums
        .as_ref()
        .is_some_and(|checksums| checksums.root.is_some())
}

/// Where a case stands, in words.
pub fn describe_phase(phase: &Phase) -> String {
    match phase {
        Phase::Holding { module, run } => {
            let module = match module {
                Held::Own => "its own module",
                Held::Downloader => "the downloader",
                Held::Uploader => "the uploader",
                Held::Final => "the final module",
            };
            let run = match run {
                Run::Running => "running",
                Run::Stopping => "stopping",
                Run::Stopped => "stopped",
            };
            format!("{run} with {module}")
        }
        Phase::Unknown { operation } => {
            format!(
                "waiting to learn whether it was possible to {}",
                describe(operation)
            )
        }
        Phase::Foreign { found } => format!("changed by someone else ({found})"),
        Phase::Closed => "closed".into(),
    }
}

/// A step, in words.
pub fn describe(operation: &Operation) -> String {
    let memory_name = |memory: &rescue_api::Memory| match memory {
        rescue_api::Memory::Stable => "stable memory",
        rescue_api::Memory::Heap => "the heap",
    };
    match operation {
        Operation::Stop => "stop the canister".into(),
        Operation::Snapshot => "take a snapshot to go back to".into(),
        Operation::SwapIn { module, memories } => {
            let module = match module {
                Pair::Downloader => "downloader",
                Pair::Uploader => "uploader",
            };
            let memories = match memories {
                SwapMemories::Keep => "keep the memories",
                SwapMemories::ReplaceHeap => "keep stable memory, drop the heap",
                SwapMemories::Wipe => "empty the memories",
            };
            format!("swap the {module} in ({memories})")
        }
        Operation::Start => "start the canister".into(),
        Operation::Checksum { memory } => format!("hash {} on chain", memory_name(memory)),
        Operation::Attest { memory } => format!("hash {} again and compare", memory_name(memory)),
        Operation::Declare => "declare the hash of the final module".into(),
        Operation::PutModuleChunk => "stage the final module".into(),
        Operation::Install { .. } => "install the final module".into(),
        Operation::Rollback => "roll back to the snapshot".into(),
        Operation::Settle => "find out what became of the last call".into(),
        Operation::Accept => "accept the foreign change".into(),
        Operation::Close => "close the case".into(),
        Operation::Forget => "forget the case".into(),
    }
}

/// Tells why the program waits: at the first poll and then every half minute.
pub fn tell_wait(output: &Output, poll: u32, why: &str) {
    if poll.is_multiple_of(TELL_EVERY_POLLS) {
        let waited_s = u64::from(poll) * CASE_POLL.as_secs();
        let most_s = u64::from(CASE_POLLS_MAX) * CASE_POLL.as_secs();
        output.step(format!(
            "waiting ({waited_s} s of at most {most_s} s): {why}"
        ));
    }
}

/// What is told while the IC makes a canister wait before its next installation.
pub const RATE_LIMITED: &str = "the Internet Computer limits installations of this canister, because an earlier one \
     used many instructions; it lets the next one in when they are worked off";

/// Polls between two words on the same wait.
const TELL_EVERY_POLLS: u32 = 15;

/// Whether the IC makes the canister wait: an installation that used many instructions (a hook that ran into
/// its limit used all 300 billion) is worked off at 2 billion a round before the next one is accepted.
fn is_refused_by_rate(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::CallRejected { message, .. } if is_rate_limited(message))
}

/// Whether a rejection says so.
pub fn is_rate_limited(message: &str) -> bool {
    message.contains("is rate limited")
}

//! A change of module in a canister's slot over a heap that stays: stop, snapshot, put in, start, compare,
//! and the way back.
//!
//! ```text
//! own module, running ─► stopped ─► snapshot ─► another module over the same heap ─► running ─► checks
//!        ▲                                                                                       │ differ
//!        └──────────────────────────── snapshot loaded ◄─────────────────────────────────────────┘
//! ```
//!
//! Where it stands is found out by looking at the canister before each step; the logbook on disk only
//! remembers what cannot be seen any more: the answers from before, and which snapshot is the way back.

pub mod logbook;
pub mod refusal;
pub mod snapshot;

use crate::checks::{self, Answer, Check};
use crate::commands::Context;
use crate::error::CliError;
use crate::limits::{CASE_POLL, CASE_POLLS_MAX};
use crate::management::changes::Upgrade;
use crate::management::{Management, Status};
use crate::modules::Module;
use crate::output::Output;
use archive::digests::sha256;
use archive::metadata::{Global, GlobalTimer, Metadata};
use candid::{Nat, Principal};
use ic_management_canister_types::CanisterStatusType;
use logbook::{Logbook, Outcome};
use refusal::Refusal;
use surgery::SurgeryError;
use surgery::globals::{self, Value};

/// Whether the settings forbid a heap as large as the canister has: then no upgrade can keep it.
pub fn heap_above_limit(status: &Status) -> Option<Refusal> {
    let bytes = |nat: &Nat| u64::try_from(nat.0.clone()).unwrap_or(u64::MAX);
    let limit_bytes = bytes(&status.settings.wasm_memory_limit);
    let heap_bytes = bytes(&status.memory_metrics.wasm_memory_size);
    (limit_bytes != 0 && heap_bytes > limit_bytes).then_some(Refusal::HeapAboveLimit {
        heap_bytes,
        limit_bytes,
    })
}

/// Why a kept heap is not all that `wasm` needs to go on, if it is not: its start function would run, or a
/// global would lose its value.
///
/// # Errors
/// [`SurgeryError`] when it is malformed.
pub fn needs_more(wasm: &[u8], metadata: &Metadata) -> Result<Option<Refusal>, SurgeryError> {
    if surgery::layout::has_start(wasm)? {
        return Ok(Some(Refusal::StartFunction));
    }
    let initial = globals::initial(wasm)?;
    if initial.len() != metadata.globals.len() {
        return Ok(Some(Refusal::GlobalsUnknown));
    }
    for (initial, now) in initial.iter().zip(&metadata.globals) {
        let now = now.as_ref().map(value);
        if now.is_none() || now != initial.value {
            let shown = |value: Option<Value>| {
                value.map_or("unknown".to_string(), |value| value.to_string())
            };
            return Ok(Some(Refusal::GlobalDiffers {
                index: initial.index,
                name: initial.export.clone(),
                now: shown(now),
                initial: shown(initial.value),
            }));
        }
    }
    Ok(None)
}

/// A change under way.
pub struct Changeover<'a> {
    /// The line and its patience.
    pub context: &'a Context,
    /// The canister.
    pub canister: Principal,
    /// Where reports go.
    pub output: &'a Output,
    /// What has to be remembered.
    pub logbook: Logbook,
}

impl Changeover<'_> {
    /// The management canister, about the canister.
    pub fn management(&self) -> Management<'_> {
        Management::new(&self.context.connection, self.canister, &self.context.retry)
            .telling(self.output)
    }

    /// Status and module hash (hexadecimal, empty if there is no module).
    ///
    /// # Errors
    /// When the call fails.
    pub async fn look(&self) -> Result<(Status, String), CliError> {
        let status = self.management().status().await?;
        let hash = status.module_hash.as_ref().map(hex::encode);
        Ok((status, hash.unwrap_or_default()))
    }

    /// Asks the checks.
    ///
    /// # Errors
    /// When the network fails.
    pub async fn ask(&self, checks: &[Check]) -> Result<Vec<Answer>, CliError> {
        let Context {
            connection, retry, ..
        } = self.context;
        checks::ask(checks, connection, self.canister, retry).await
    }

    /// The checks: those on the command line while the canister runs its own module, which tells the types of
    /// their arguments; those that an earlier attempt asked afterwards.
    ///
    /// # Errors
    /// [`CliError::BadCheck`].
    pub async fn checks(&self, texts: &[String], hash: &str) -> Result<Vec<Check>, CliError> {
        if hash != self.logbook.deployed_hash {
            return Ok(self.logbook.answers.iter().map(Check::from).collect());
        }
        let Context {
            connection, retry, ..
        } = self.context;
        checks::parse(texts, connection, self.canister, retry).await
    }

    /// Remembers how the canister answers before anything is changed.
    ///
    /// # Errors
    /// [`CliError::ChangeRefused`] when it cannot answer, or rejects a check.
    pub async fn answers_from_before(
        &mut self,
        checks: &[Check],
        status: &Status,
    ) -> Result<(), CliError> {
        if status.status != CanisterStatusType::Running {
            return self.answers_of_an_earlier_attempt(checks);
        }
        let answers = self.ask(checks).await?;
        let rejected = answers.iter().find_map(|answer| {
            let rejection = answer.rejection.clone()?;
            Some((answer.check.clone(), rejection))
        });
        match rejected {
            None => {
                self.logbook.answers = answers;
                Ok(())
            }
            // An interrupted attempt's order to stop can arrive late.
            Some(_) if self.look().await?.0.status != CanisterStatusType::Running => {
                self.answers_of_an_earlier_attempt(checks)
            }
            Some((check, rejection)) => {
                Err(self.refused(Refusal::CheckRejected { check, rejection }))
            }
        }
    }

    /// An earlier attempt stopped it, after it had asked; otherwise it was stopped before anybody asked.
    fn answers_of_an_earlier_attempt(&self, checks: &[Check]) -> Result<(), CliError> {
        match self.logbook.answers.len() == checks.len() {
            true => Ok(()),
            false => Err(self.refused(Refusal::StoppedAtFirst)),
        }
    }

    /// Stops the canister and waits until it has stopped.
    ///
    /// # Errors
    /// When a call fails or the canister does not stop; then it is started again.
    pub async fn stop(&self) -> Result<(), CliError> {
        for _ in 0..CASE_POLLS_MAX {
            match self.look().await?.0.status {
                CanisterStatusType::Stopped => return Ok(()),
                CanisterStatusType::Running => {
                    self.output.step("stop the canister");
                    self.management().stop().await?;
                }
                CanisterStatusType::Stopping => tokio::time::sleep(CASE_POLL).await,
            }
        }
        // Better running as it was than halfway to a stop.
        self.management().start().await?;
        Err(self.refused(Refusal::DoesNotStop))
    }

    /// Starts the canister unless it runs.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn start(&self) -> Result<(), CliError> {
        if self.look().await?.0.status != CanisterStatusType::Running {
            self.output.step("start the canister");
            self.management().start().await?;
        }
        Ok(())
    }

    /// A snapshot of the stopped canister as it is, to go back to: the one in the logbook if it is of this
    /// version, or a new one.
    ///
    /// # Errors
    /// When a call fails or the logbook cannot be written.
    pub async fn snapshot(&mut self) -> Result<(Vec<u8>, Metadata), CliError> {
        let version = self.look().await?.0.version;
        let listed: Vec<String> = self
            .management()
            .snapshots()
            .await?
            .iter()
            .map(|snapshot| hex::encode(&snapshot.id))
            .collect();
        // One that appeared since an earlier attempt asked for it is the one it asked for.
        let earlier = self.logbook.snapshot.clone().or_else(|| {
            let before = self.logbook.snapshots_before.as_ref()?;
            listed.iter().find(|id| !before.contains(id)).cloned()
        });
        let earlier = earlier.filter(|id| listed.contains(id));
        let mut stale = None;
        if let Some(id) = earlier.and_then(|id| hex::decode(id).ok()) {
            let metadata = self.management().snapshot_metadata(&id).await?;
            if metadata.canister_version == version {
                self.logbook.snapshot = Some(hex::encode(&id));
                self.logbook.save()?;
                return Ok((id, metadata));
            }
            stale = Some(id);
        }
        self.logbook.snapshots_before = Some(listed);
        self.logbook.save()?;
        let id = self.management().take(stale.as_deref()).await?;
        self.logbook.snapshot = Some(hex::encode(&id));
        self.logbook.save()?;
        let shown = hex::encode(&id);
        self.output
            .step(format!("took snapshot {shown}: the way back"));
        let metadata = self.management().snapshot_metadata(&id).await?;
        Ok((id, metadata))
    }

    /// The module in the snapshot, which must be the one that was deployed.
    ///
    /// # Errors
    /// When a call fails or the module has another hash.
    pub async fn deployed(&self, id: &[u8], metadata: &Metadata) -> Result<Module, CliError> {
        let bytes = self
            .management()
            .snapshot_module(id, metadata.wasm_module_size)
            .await?;
        let module = Module::named("the deployed module".to_string(), bytes)?;
        let found = hex::encode(module.sha256);
        if found != self.logbook.deployed_hash {
            return Err(self.refused(Refusal::ForeignChange {
                expected: self.logbook.deployed_hash.clone(),
                found,
            }));
        }
        Ok(module)
    }

    /// Whether a kept heap is all that `module` needs to go on: globals, start function, heap limit.
    ///
    /// # Errors
    /// [`CliError::ChangeRefused`] when it needs more.
    pub fn check_keepable(&self, module: &Module, metadata: &Metadata) -> Result<(), CliError> {
        match needs_more(&module.wasm, metadata).map_err(|error| module.error(error))? {
            Some(refusal) => Err(self.refused(refusal)),
            None => Ok(()),
        }
    }

    /// Whether a timer is set that an upgrade would switch off.
    pub fn timer_is_set(metadata: &Metadata) -> bool {
        matches!(metadata.global_timer, Some(GlobalTimer::Active(_)))
    }

    /// Upgrades the canister to `module`, unless it has it. A call whose outcome is unknown is settled by
    /// looking.
    ///
    /// # Errors
    /// When the upgrade is rejected, or its outcome cannot be found out.
    pub async fn put_in(
        &self,
        module: &[u8],
        upgrade: Upgrade,
        arg: &[u8],
    ) -> Result<(), CliError> {
        let wanted = hex::encode(sha256(module));
        match self.management().upgrade(module, upgrade, arg).await {
            // Whether an upgrade whose reply was lost took place is seen below.
            Ok(()) | Err(CliError::Unreachable { .. }) => {}
            Err(error) => return Err(error),
        }
        let found = self.look().await?.1;
        if found == wanted {
            return Ok(());
        }
        Err(self.refused(Refusal::ForeignChange {
            expected: wanted,
            found,
        }))
    }

    /// Takes the canister back to the snapshot in the logbook and starts it if it ran.
    ///
    /// # Errors
    /// When a call fails: the same command again goes on.
    pub async fn roll_back(&mut self) -> Result<(), CliError> {
        self.logbook.outcome = Outcome::RollingBack;
        self.logbook.save()?;
        let snapshot = self.logbook.snapshot.as_deref().map(hex::decode);
        let Some(Ok(snapshot)) = snapshot else {
            return Err(self.refused(Refusal::NoWayBack));
        };
        if self.look().await?.1 != self.logbook.deployed_hash {
            self.stop().await?;
            self.output
                .step(format!("load snapshot {}", hex::encode(&snapshot)));
            self.management().load(&snapshot).await?;
            let found = self.look().await?.1;
            if found != self.logbook.deployed_hash {
                return Err(self.refused(Refusal::ForeignChange {
                    expected: self.logbook.deployed_hash.clone(),
                    found,
                }));
            }
        }
        if self.logbook.was_running {
            self.start().await?;
        }
        self.logbook.outcome = Outcome::RolledBack;
        self.logbook.save()
    }

    /// Leaves a canister whose module was not touched as it was found: running, without our snapshot.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn leave_untouched(&mut self) -> Result<(), CliError> {
        if self.logbook.was_running {
            self.start().await?;
        }
        if let Some(Ok(snapshot)) = self.logbook.snapshot.take().map(hex::decode) {
            self.management().delete_snapshot(&snapshot).await?;
        }
        self.logbook.discard()
    }

    /// Asks the checks again; rolls back and tells what differs if anything does.
    ///
    /// # Errors
    /// [`CliError::ChecksDiffer`] after the way back.
    pub async fn compare_or_roll_back(&mut self, checks: &[Check]) -> Result<(), CliError> {
        if checks.is_empty() {
            self.output
                .warn("no --check was given: nothing was compared before and after");
            return Ok(());
        }
        let mut after = self.ask(checks).await?;
        if after.iter().any(|answer| answer.rejection.is_some()) {
            // An interrupted attempt's order to stop can arrive late: that alone is no difference.
            self.start().await?;
            after = self.ask(checks).await?;
        }
        let differences = checks::differences(&self.logbook.answers, &after);
        if differences.is_empty() {
            self.output.step(format!(
                "{} checks are answered as before",
                self.logbook.answers.len()
            ));
            return Ok(());
        }
        for difference in &differences {
            self.output.warn(difference.clone());
        }
        self.roll_back().await?;
        Err(CliError::ChecksDiffer {
            canister: self.canister.to_text(),
            differences: differences.len(),
        })
    }

    /// An error of this canister.
    pub fn refused(&self, refusal: Refusal) -> CliError {
        CliError::ChangeRefused {
            canister: self.canister.to_text(),
            refusal: Box::new(refusal),
        }
    }
}

fn value(global: &Global) -> Value {
    match global {
        Global::I32(value) => Value::I32(*value),
        Global::I64(value) => Value::I64(*value),
        Global::F32(value) => Value::F32(value.to_bits()),
        Global::F64(value) => Value::F64(value.to_bits()),
        Global::V128(value) => Value::V128(*value),
    }
}

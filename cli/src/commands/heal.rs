//! `heal`: the whole way for a canister whose state is in the heap and whose hook traps. Looks whether it can
//! work, backs it up, runs the hook off chain, rehearses the fixed module over the result, writes the result
//! back, attested, installs the fixed module, compares the checks.
//!
//! ```text
//! look ─► run ─► rehearse ─► backup ─► run, rehearse ─► restore (stable memory) ─► install ─► checks ─► close
//! └ the canister runs on ┘   └ its memory is as it was ┘ └────── way back: rollback to the snapshot ──────┘
//! ```
//!
//! The look decides: if the hook fails off chain, too, or the fixed module does not take over what it leaves, the
//! command ends there and says what can be done instead. What ran over the look is not run again if the canister
//! did not change until it was stopped.
//!
//! Run again after an interruption it goes on where it was, by looking at the canister and the directory.

use super::close::{self, CloseArgs};
use super::install::{self, InstallArgs};
use super::restore::{self, MemoryArg, RestoreArgs};
use super::run::{self, EntryArg, RunArgs};
use super::{Context, backup, read_file};
use crate::args::{NetworkArgs, canister};
use crate::error::{CliError, EXIT_FINDINGS};
use crate::healing::look::Look;
use crate::healing::rehearsal::Installation;
use crate::healing::steps::{self, Asked};
use crate::healing::{Goal, Progress, answers, module_hash, shrinks};
use crate::offline_patient::{PatientArgs, RulesArgs, SurroundingsArgs, beside};
use crate::output::{Event, Output};
use backup::{BackupArgs, HeapArg};
use candid::Principal;
use clap::Args;
use offline::Surroundings;
use offline::rehearse::{Check, Compared};
use offline::surroundings::CYCLES_DEFAULT;
use std::path::PathBuf;

/// Options of `heal`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue heal bkyz2-fmaaa-aaaaa-qaaaq-cai --fixed fixed.wasm -o healing/ --check digest --rescue bd3sg-teaaa-aaaaa-qaaba-cai --identity me.pem\n  ic-rescue heal bkyz2-fmaaa-aaaaa-qaaaq-cai --fixed fixed.wasm -o healing/ --check digest --rescue bd3sg-teaaa-aaaaa-qaaba-cai --identity me.pem --yes\n\nThe first shows the plan, the second goes that way; interrupted, run the same command again.\n\nExit code 3: the fixed module does not take over what the hook leaves, or a check answers otherwise. 9: the hook fails off chain, too; options are named under which it ends. 10: it fails under any. Found out before anything on chain is changed."
)]
pub struct HealArgs {
    /// The canister.
    pub canister: String,
    /// The fixed module, plain or gzipped, whose post_upgrade reads what the old hook writes.
    #[arg(long, value_name = "FILE")]
    pub fixed: PathBuf,
    /// Directory for the backup (`before`) and what the hook leaves (`after`): new, or of this healing.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// The module that the canister runs. Needed only if the snapshot cannot be read.
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,
    /// File with the candid bytes of the argument for post_upgrade. Without it: `()`.
    #[arg(long, value_name = "FILE")]
    pub arg_file: Option<PathBuf>,
    /// A query that must answer the same before and after; may be given several times.
    #[arg(long, value_name = "METHOD[=(CANDID)]")]
    pub check: Vec<String>,
    /// Do it. Without it the plan is shown.
    #[arg(long)]
    pub yes: bool,
    /// Only look whether it can work, and do nothing else: a snapshot of the running canister is downloaded and
    /// deleted, the hook is run over it, the fixed module rehearsed.
    #[arg(long, conflicts_with = "yes")]
    pub look: bool,
    /// Do not look beforehand: the hook is tried only after the canister was stopped and backed up. For canisters
    /// that give no snapshot while they run.
    #[arg(long, conflicts_with = "look")]
    pub without_look: bool,
    /// In the end delete the snapshot that was taken: there is no way back then.
    #[arg(long)]
    pub delete_snapshot: bool,
    /// Rules that are relaxed for the hook.
    #[command(flatten)]
    pub rules: RulesArgs,
}

/// Runs the verb.
///
/// # Errors
/// Whatever ended it. Until the restore the canister's memory is as it was; until the case is closed
/// `rollback` takes everything back.
pub async fn execute(
    args: &HealArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let fixed = read_file(&args.fixed)?;
    let module = args.module.as_deref().map(read_file).transpose()?;
    let goal = Goal {
        canister,
        fixed_hash: module_hash(&fixed),
        before: args.output.join("before"),
        forecast: args.output.join("forecast"),
        after: args.output.join("after"),
        rules: args.rules.parse()?,
        module_sha256: module.map(|module| hex::encode(module_hash(&module))),
    };
    let context = Context::open(network, "heal").await?;
    let healing = Healing {
        args,
        network,
        output,
        goal,
        context,
    };
    let found = healing.look().await?;
    let asked = Asked {
        look: !args.without_look,
        checks: args.check.len(),
        delete_snapshot: args.delete_snapshot,
    };
    steps::show(&healing.goal, &found, &asked, output);
    if args.look {
        return healing.look_only(&found).await;
    }
    if !args.yes {
        output.step("nothing was done: run the same command with --yes to go this way");
        return Ok(0);
    }
    healing.go(found).await
}

struct Healing<'a> {
    args: &'a HealArgs,
    network: &'a NetworkArgs,
    output: &'a Output,
    goal: Goal,
    context: Context,
}

impl Healing<'_> {
    async fn look(&self) -> Result<Progress, CliError> {
        let rescue = self.context.rescue(self.network, "heal")?;
        self.goal.look(&self.context, rescue).await
    }

    /// Looks, and ends: 0 if it can work.
    async fn look_only(&self, found: &Progress) -> Result<u8, CliError> {
        if found.case.is_some() || found.installed {
            return Err(CliError::Unsupported {
                what: format!(
                    "the healing of {} has begun: there is nothing to look at beforehand any more; go on with --yes",
                    self.goal.canister
                ),
            });
        }
        if self.forecast(found).await?.is_none() {
            return Ok(EXIT_FINDINGS);
        }
        self.output.step(
            "it can work; nothing on chain was changed: go on with --yes in the place of --look",
        );
        Ok(0)
    }

    async fn go(&self, found: Progress) -> Result<u8, CliError> {
        let begun = found.case.is_some() || found.installed;
        let mut foreseen = None;
        if !begun && !self.args.without_look {
            foreseen = self.forecast(&found).await?;
            if foreseen.is_none() {
                return Ok(EXIT_FINDINGS);
            }
        }
        if !found.installed && !self.bring_back(found).await? {
            foreseen = None;
        }
        let checks = match foreseen {
            Some(checks) => Some(checks),
            None => self.rehearsed(self.goal.after.clone()).await?,
        };
        let Some(checks) = checks else {
            return Ok(EXIT_FINDINGS);
        };
        if !self.look().await?.installed {
            self.put_in().await?;
        }
        if !answers::compare(
            &self.context,
            self.goal.canister,
            &self.args.fixed,
            &checks,
            self.output,
        )
        .await?
        {
            self.output.warn(format!(
                "the canister does not answer as before: take it back with `ic-rescue rollback {} \
                 --discard-newer-state`, or close the case if that is as it should be",
                self.goal.canister
            ));
            return Ok(EXIT_FINDINGS);
        }
        if self.look().await?.case.is_some() {
            let close = CloseArgs {
                canister: self.goal.canister.to_text(),
                leave_as_is: false,
                dry_run: false,
                delete_snapshot: self.args.delete_snapshot,
            };
            close::execute(&close, self.network, self.output).await?;
        }
        self.output.say(&Event::Done {
            text: format!("{} is healed", self.goal.canister),
        });
        Ok(0)
    }

    /// Finds out whether it can work while the canister runs on; none when the fixed module does not take over
    /// what the hook leaves.
    async fn forecast(&self, found: &Progress) -> Result<Option<Vec<Compared>>, CliError> {
        let look = Look {
            context: &self.context,
            canister: self.goal.canister,
            directory: &self.goal.before,
            output: self.output,
        };
        look.take(found.look.is_some()).await?;
        let result = self.compute_forecast().await;
        if !matches!(result, Ok(Some(_))) {
            self.output
                .step("nothing on chain was changed: the canister runs on as it did");
        }
        result
    }

    async fn compute_forecast(&self) -> Result<Option<Vec<Compared>>, CliError> {
        if self.look().await?.forecast.is_none() {
            remove(&self.goal.forecast)?;
            self.run_hook(self.goal.forecast.clone()).await?;
        }
        self.rehearsed(self.goal.forecast.clone()).await
    }

    /// The backup, and what the hook leaves. True if that is what was forecast.
    async fn bring_back(&self, found: Progress) -> Result<bool, CliError> {
        if found.before.is_none() {
            let backup = BackupArgs {
                canister: self.goal.canister.to_text(),
                output: self.goal.before.clone(),
                direct: false,
                endpoints: false,
                by_snapshot: false,
                downloader: None,
                dry_run: false,
                heap: HeapArg::Keep,
                no_snapshot: None,
                module: self.args.module.clone(),
            };
            backup::execute(&backup, self.network, self.output).await?;
        }
        let found = self.look().await?;
        if found.after.is_some() {
            return Ok(false);
        }
        if found.forecast.is_some() {
            let (from, to) = (&self.goal.forecast, &self.goal.after);
            std::fs::rename(from, to).map_err(|source| CliError::WriteFile {
                path: to.clone(),
                source,
            })?;
            self.output
                .step("the canister did not change since the look: what was run over it holds");
            return Ok(true);
        }
        self.run_hook(self.goal.after.clone()).await?;
        remove(&self.goal.forecast)?;
        Ok(false)
    }

    /// Runs the hook over what was downloaded.
    async fn run_hook(&self, target: PathBuf) -> Result<(), CliError> {
        let run = RunArgs {
            patient: PatientArgs {
                directory: self.goal.before.clone(),
                module: self.args.module.clone(),
                force_module: None,
                canister: None,
            },
            entry: EntryArg::PreUpgrade,
            output: Some(target),
            without_heap: false,
            arg_file: None,
            trace: None,
            rules: self.args.rules.clone(),
            surroundings: SurroundingsArgs {
                caller: Some(self.context.connection.caller()?.to_text()),
                controller: self.controllers()?.iter().map(Principal::to_text).collect(),
                time: None,
                cycles: CYCLES_DEFAULT,
            },
        };
        let installation = self.installation()?;
        let (network, output) = (self.network.clone(), self.output.clone());
        beside(move || {
            let judge = |engine: &_, patient: &_, ran: &_| installation.judge(engine, patient, ran);
            run::compute_judged(&run, &network, &output, &judge)
        })
        .await?;
        Ok(())
    }

    fn controllers(&self) -> Result<Vec<Principal>, CliError> {
        let rescue = self.network.rescue_canister("heal")?;
        Ok(vec![self.context.connection.caller()?, rescue])
    }

    fn installation(&self) -> Result<Installation, CliError> {
        let checks = self.args.check.iter();
        Ok(Installation {
            fixed: read_file(&self.args.fixed)?,
            argument: self.argument()?,
            checks: checks.map(|text| Check::parse(text)).collect(),
            surroundings: Surroundings {
                caller: self.context.connection.caller()?,
                controllers: self.controllers()?,
                ..Surroundings::default()
            },
            module: self.args.module.clone(),
        })
    }

    /// Rehearses the installation over what the hook left; none when it would not pass, or a check would answer
    /// otherwise.
    async fn rehearsed(&self, after: PathBuf) -> Result<Option<Vec<Compared>>, CliError> {
        let (installation, before) = (self.installation()?, self.goal.before.clone());
        let output = self.output.clone();
        beside(move || installation.rehearse((&before, &after), &output)).await
    }

    fn argument(&self) -> Result<Vec<u8>, CliError> {
        match &self.args.arg_file {
            Some(path) => read_file(path),
            None => Ok(wire::candid::UNIT.to_vec()),
        }
    }

    /// Writes the new stable memory and installs the fixed module.
    async fn put_in(&self) -> Result<(), CliError> {
        let found = self.look().await?;
        let (Some(before), Some(after)) = (&found.before, &found.after) else {
            return Err(CliError::Unsupported {
                what: format!(
                    "{} changed while it was being healed: run the same command again",
                    self.goal.canister
                ),
            });
        };
        let wipe = shrinks(before, after);
        // Installed, and only not started: the memory is the living canister's already.
        if !found.module_is_in {
            self.write_back(wipe).await?;
        }
        let install = InstallArgs {
            canister: self.goal.canister.to_text(),
            module: self.args.fixed.clone(),
            arg_file: self.args.arg_file.clone(),
            heap: HeapArg::Replace,
            dry_run: false,
            // The case can only compare with what it recorded before; the new memory was proven just now.
            although_unattested: wipe,
        };
        install::execute(&install, self.network, self.output).await?;
        Ok(())
    }

    /// Writes the new stable memory, emptying the canister's first where that is larger.
    async fn write_back(&self, wipe: bool) -> Result<(), CliError> {
        if wipe {
            self.output.warn(
                "the new stable memory is smaller than the canister's: both memories are emptied first",
            );
        }
        let restore = RestoreArgs {
            directory: self.goal.after.clone(),
            canister: self.goal.canister.to_text(),
            direct: false,
            uploader: None,
            by_snapshot: false,
            memory: MemoryArg::Stable,
            wipe,
            no_snapshot: None,
            dry_run: false,
        };
        restore::execute(&restore, self.network, self.output).await?;
        Ok(())
    }
}

/// Removes a forecast that does not hold, and what an interrupted one left.
fn remove(directory: &std::path::Path) -> Result<(), CliError> {
    match std::fs::remove_dir_all(directory) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(CliError::WriteFile {
            path: directory.to_path_buf(),
            source,
        }),
        _ => Ok(()),
    }
}

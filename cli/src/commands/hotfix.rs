//! `hotfix`: puts the patched module over the living heap, so that the canister goes on without its hooks.
//!
//! The bytes that are patched are the deployed ones, to the last bit: another module, even one built again from
//! the same source, takes the heap for something else. The controller's own identity does it; a snapshot taken
//! while the canister is stopped is the way back, and checks that are answered differently lead to it.

use super::{Context, read_file};
use crate::args::{NetworkArgs, canister};
use crate::changeover::logbook::{Logbook, Outcome};
use crate::changeover::refusal::Refusal;
use crate::changeover::{Changeover, heap_above_limit};
use crate::checks::Check;
use crate::error::{CliError, EXIT_FINDINGS};
use crate::management::changes::Upgrade;
use crate::modules::{LayoutReport, Module, describe};
use crate::output::{Event, Output};
use archive::digests::sha256;
use clap::Args;
use ic_management_canister_types::CanisterStatusType;
use std::path::PathBuf;
use surgery::layout::{self, Comparison};
use surgery::patch::{Patched, Plan, patch};

const WHAT: &str = "hotfix";

/// Options of `hotfix`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue hotfix bkyz2-fmaaa-aaaaa-qaaaq-cai --module deployed.wasm --check digest --identity me.pem"
)]
pub struct HotfixArgs {
    /// The canister.
    pub canister: String,
    /// The deployed module, plain or gzipped. Without it the bytes are taken from the snapshot.
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,
    /// A query that must be answered the same before and after: METHOD or METHOD='(candid)'. May be repeated.
    #[arg(long, value_name = "CHECK")]
    pub check: Vec<String>,
    /// Upload a snapshot with the patched module and load it: keeps globals and timer, runs no code, but
    /// copies both memories.
    #[arg(long)]
    pub via_snapshot: bool,
    /// Put the module in although it is not the deployed one, for this reason, which is recorded.
    #[arg(long, value_name = "REASON", requires = "module")]
    pub although_different: Option<String>,
    /// Where to remember what must survive an interruption. Default: CANISTER.hotfix.json.
    #[arg(long, value_name = "FILE")]
    pub logbook: Option<PathBuf>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs the verb.
///
/// # Errors
/// Whatever ended it.
pub async fn execute(
    args: &HotfixArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let given = match &args.module {
        Some(path) => Some(Module::new(path, read_file(path)?)?),
        None => None,
    };
    let context = Context::open(network, WHAT).await?;
    let path = args
        .logbook
        .clone()
        .unwrap_or_else(|| Logbook::default_path(canister, WHAT));
    let name = context.connection.network().name();
    let earlier = Logbook::open(&path, WHAT, canister, &name)?;
    let resumed = earlier.is_some();
    let mut change = Changeover {
        context: &context,
        canister,
        output,
        logbook: earlier.unwrap_or_else(|| Logbook::begin(&path, WHAT, canister, &name, "")),
    };
    if change.logbook.outcome == Outcome::RollingBack {
        output.warn("an earlier attempt found other answers than before: it is taken back now");
        change.roll_back().await?;
        output.say(&Event::Done {
            text: format!("{canister} is what it was before the hotfix"),
        });
        return Ok(EXIT_FINDINGS);
    }
    let (status, hash) = change.look().await?;
    if hash.is_empty() {
        return Err(change.refused(Refusal::Empty));
    }
    if !resumed {
        change.logbook.deployed_hash.clone_from(&hash);
        change.logbook.was_running = status.status == CanisterStatusType::Running;
    }
    let checks = change.checks(&args.check, &hash).await?;

    if hash == change.logbook.deployed_hash {
        refuse_other_module(&change, given.as_ref(), args).await?;
        if let Some(refusal) = heap_above_limit(&status) {
            return Err(change.refused(refusal));
        }
        if args.dry_run {
            tell_plan(given.as_ref(), args, output)?;
            return Ok(0);
        }
        change.answers_from_before(&checks, &status).await?;
        change.logbook.save()?;
        change.stop().await?;
        if !put_patched_in(&mut change, given, args).await? {
            return Ok(0);
        }
    } else if change.logbook.new_hash.as_deref() != Some(&hash) {
        return Err(change.refused(Refusal::ForeignChange {
            expected: change.logbook.deployed_hash.clone(),
            found: hash,
        }));
    } else if args.dry_run {
        output.step("would start the patched canister and compare the checks");
        return Ok(0);
    }
    if change.logbook.was_running {
        change.start().await?;
        compare(&mut change, &checks).await?;
    }
    change.logbook.outcome = Outcome::Done;
    change.logbook.save()?;
    output.say(&Event::Installed {
        canister: canister.to_text(),
        module_hash: change.logbook.new_hash.clone().unwrap_or_default(),
    });
    output.step(format!(
        "it goes on with its heap and without its hooks; its next upgrade must say what becomes of the heap \
         (wasm_memory_persistence). Snapshot {} is the way back: delete it once you are sure",
        change.logbook.snapshot.as_deref().unwrap_or("-")
    ));
    Ok(0)
}

async fn compare(change: &mut Changeover<'_>, checks: &[Check]) -> Result<(), CliError> {
    change.compare_or_roll_back(checks).await
}

/// Refuses a file that is not the deployed module, with what can be said of its layout.
async fn refuse_other_module(
    change: &Changeover<'_>,
    given: Option<&Module>,
    args: &HotfixArgs,
) -> Result<(), CliError> {
    let Some(given) = given else { return Ok(()) };
    let deployed = &change.logbook.deployed_hash;
    if hex::encode(given.sha256) == *deployed || args.although_different.is_some() {
        return Ok(());
    }
    // A snapshot that is there already may hold the deployed bytes; none is taken for a refusal.
    let layout = match deployed_from_snapshots(change, deployed).await {
        None => String::new(),
        Some(module) => {
            let comparison =
                layout::compare(&module.wasm, &given.wasm).map_err(|error| given.error(error))?;
            let report = LayoutReport::new("the deployed module", &given.name, &comparison);
            change.output.say(&Event::Layout(Box::new(report)));
            match comparison.same_layout() {
                true => "; as far as can be told it has the same layout".to_string(),
                false => "; it has another layout".to_string(),
            }
        }
    };
    Err(change.refused(Refusal::OtherModule {
        file: given.name.clone(),
        given: hex::encode(given.sha256),
        deployed: deployed.clone(),
        layout,
    }))
}

/// The deployed module, if a snapshot that is there already holds it. It only makes a refusal more telling, so
/// that nothing depends on whether it is found.
async fn deployed_from_snapshots(change: &Changeover<'_>, deployed: &str) -> Option<Module> {
    let management = change.management();
    for snapshot in management.snapshots().await.ok()?.into_iter().rev() {
        let metadata = management.snapshot_metadata(&snapshot.id).await.ok()?;
        let bytes = management
            .snapshot_module(&snapshot.id, metadata.wasm_module_size)
            .await
            .ok()?;
        if hex::encode(sha256(&bytes)) == deployed {
            return Module::named("the deployed module".to_string(), bytes).ok();
        }
    }
    None
}

fn tell_plan(given: Option<&Module>, args: &HotfixArgs, output: &Output) -> Result<(), CliError> {
    output.step("would stop the canister and take a snapshot to go back to");
    match given {
        None => output.step("would patch the deployed module, read from that snapshot"),
        Some(module) => {
            let patched =
                patch(&module.wasm, &Plan::BOTH_HOOKS).map_err(|error| module.error(error))?;
            for change in &patched.changes {
                output.step(format!("would patch: {}", describe(change)));
            }
        }
    }
    output.step(if args.via_snapshot {
        "would upload a snapshot with the patched module and the memories as they are, and load it"
    } else {
        "would upgrade to the patched module, pre_upgrade skipped, heap and stable memory kept"
    });
    output.step(
        "would start the canister, compare the checks, and go back if one is answered differently",
    );
    Ok(())
}

/// Takes the snapshot, patches, and puts the patched module in. False if there was nothing to patch.
async fn put_patched_in(
    change: &mut Changeover<'_>,
    given: Option<Module>,
    args: &HotfixArgs,
) -> Result<bool, CliError> {
    let (id, metadata) = change.snapshot().await?;
    let prepared = prepare(change, given, args, &id, &metadata).await;
    let patched = match prepared {
        Ok(patched) if !patched.changes.is_empty() => patched,
        Ok(_) => {
            change.leave_untouched().await?;
            change.output.say(&Event::Done {
                text: format!(
                    "{} has no hooks and carries the marker: there is nothing to patch",
                    change.canister
                ),
            });
            return Ok(false);
        }
        Err(error @ (CliError::ChangeRefused { .. } | CliError::Surgery { .. })) => {
            change.leave_untouched().await?;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    change.logbook.new_hash = Some(hex::encode(sha256(&patched.module)));
    change.logbook.save()?;
    let put = if args.via_snapshot {
        load_patched(change, &id, &metadata, &patched.module).await
    } else {
        change
            .output
            .step("upgrade to the patched module; the heap is kept");
        change
            .put_in(&patched.module, Upgrade::SkipAndKeep, &[])
            .await
    };
    match put {
        Ok(()) => Ok(true),
        Err(error @ CliError::Rejected(_)) => {
            change.leave_untouched().await?;
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// The patched module, once everything that speaks against it has been looked at.
async fn prepare(
    change: &mut Changeover<'_>,
    given: Option<Module>,
    args: &HotfixArgs,
    id: &[u8],
    metadata: &archive::metadata::Metadata,
) -> Result<Patched, CliError> {
    let deployed_hash = change.logbook.deployed_hash.clone();
    let module = match given {
        Some(module) if hex::encode(module.sha256) == deployed_hash => module,
        Some(module) => {
            let deployed = change.deployed(id, metadata).await?;
            let comparison: Comparison = layout::compare(&deployed.wasm, &module.wasm)
                .map_err(|error| module.error(error))?;
            let report = LayoutReport::new("the deployed module", &module.name, &comparison);
            change.output.say(&Event::Layout(Box::new(report)));
            change.logbook.layout_differences =
                Some(comparison.counts.iter().map(|(_, count)| count).sum());
            change.logbook.although_different = args.although_different.clone();
            if !args.via_snapshot {
                // What starts afresh is what the deployed module had; its globals tell whether that loses anything.
                change.check_keepable(&deployed, metadata)?;
                if layout::has_start(&module.wasm).map_err(|error| module.error(error))? {
                    return Err(change.refused(Refusal::StartFunction));
                }
            }
            module
        }
        None => change.deployed(id, metadata).await?,
    };
    if !args.via_snapshot {
        if change.logbook.although_different.is_none() {
            change.check_keepable(&module, metadata)?;
        }
        if Changeover::timer_is_set(metadata) {
            return Err(change.refused(Refusal::TimerSet));
        }
    }
    let patched = patch(&module.wasm, &Plan::BOTH_HOOKS).map_err(|error| module.error(error))?;
    for done in &patched.changes {
        change.output.step(format!("patch: {}", describe(done)));
    }
    Ok(patched)
}

/// The second way in; whether a load whose outcome is unknown took place is seen by looking.
async fn load_patched(
    change: &mut Changeover<'_>,
    id: &[u8],
    metadata: &archive::metadata::Metadata,
    module: &[u8],
) -> Result<(), CliError> {
    let uploaded = change.upload_patched(id, metadata, module).await?;
    change.output.step("load it");
    let loaded = change.management().load(&uploaded).await;
    let found = change.look().await?.1;
    if Some(&found) != change.logbook.new_hash.as_ref() {
        loaded?;
        return Err(change.refused(Refusal::ForeignChange {
            expected: change.logbook.new_hash.clone().unwrap_or_default(),
            found,
        }));
    }
    change.management().delete_snapshot(&uploaded).await?;
    change.logbook.uploaded = None;
    change.logbook.save()
}

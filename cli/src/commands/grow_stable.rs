//! `grow-stable`: for a hook that traps because stable memory is too small for what it writes.
//!
//! ```text
//! own module ─► uploader over the kept heap ─► stable memory grown ─► own module, marked, over the same heap
//!                                                                     └─► upgrade: its pre_upgrade runs
//! ```
//!
//! The own module comes back with its `pre_upgrade` and without its `post_upgrade`, which would run over the
//! living heap. It carries the marker then, so that its next upgrade must say what becomes of the heap: with
//! `--upgrade FILE` this command does it, with `wasm_memory_persistence = replace`.

use super::{Context, read_file};
use crate::args::{NetworkArgs, canister};
use crate::changeover::logbook::{Logbook, Outcome};
use crate::changeover::refusal::Refusal;
use crate::changeover::{Changeover, heap_above_limit};
use crate::checks::Check;
use crate::error::{CliError, EXIT_FINDINGS};
use crate::management::changes::Upgrade;
use crate::modules::{Module, describe};
use crate::output::{Event, Output, human_bytes};
use crate::pair::{self, Role};
use crate::patient::{Asked, Patient};
use crate::transfer::{Payload, Sink};
use archive::Memory;
use archive::digests::sha256;
use clap::Args;
use ic_management_canister_types::CanisterStatusType;
use std::path::PathBuf;
use surgery::patch::{Plan, patch};
use wire::limits::STABLE_MEMORY_MAX_BYTES;

const WHAT: &str = "grow-stable";

/// Options of `grow-stable`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue grow-stable bkyz2-fmaaa-aaaaa-qaaaq-cai 64MiB --upgrade fixed.wasm --identity me.pem"
)]
pub struct GrowStableArgs {
    /// The canister.
    pub canister: String,
    /// Bytes that stable memory shall have at least; KiB, MiB and GiB are understood.
    #[arg(value_parser = bytes)]
    pub bytes: u64,
    /// The module to upgrade to afterwards, with pre_upgrade: plain or gzipped.
    #[arg(long, value_name = "FILE")]
    pub upgrade: Option<PathBuf>,
    /// File with the candid bytes of the argument for its post_upgrade. Without it: `()`.
    #[arg(long, value_name = "FILE", requires = "upgrade")]
    pub arg_file: Option<PathBuf>,
    /// A query that must be answered the same before and after: METHOD or METHOD='(candid)'. May be repeated.
    #[arg(long, value_name = "CHECK")]
    pub check: Vec<String>,
    /// The uploader's module, where this program has none in it.
    #[arg(long, value_name = "FILE")]
    pub uploader: Option<PathBuf>,
    /// Where to remember what must survive an interruption. Default: CANISTER.grow-stable.json.
    #[arg(long, value_name = "FILE")]
    pub logbook: Option<PathBuf>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, unit)| text.strip_suffix(name).map(|number| (number, *unit)))
        .unwrap_or((text, 1));
    number
        .trim()
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| "a number of bytes, for example 65536 or 64MiB".to_string())
}

/// Runs the verb.
///
/// # Errors
/// Whatever ended it.
pub async fn execute(
    args: &GrowStableArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let fixed = match &args.upgrade {
        Some(path) => Some(Module::new(path, read_file(path)?)?),
        None => None,
    };
    let arg = match &args.arg_file {
        Some(path) => read_file(path)?,
        None => wire::candid::UNIT.to_vec(),
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
    if args.bytes > STABLE_MEMORY_MAX_BYTES {
        return Err(change.refused(Refusal::TooMuchStable {
            wanted_bytes: args.bytes,
            most_bytes: STABLE_MEMORY_MAX_BYTES,
        }));
    }
    if change.logbook.outcome == Outcome::RollingBack {
        output.warn("an earlier attempt found other answers than before: it is taken back now");
        change.roll_back().await?;
        output.say(&Event::Done {
            text: format!("{canister} is what it was before"),
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
    let heap_bytes = u64::try_from(status.memory_metrics.wasm_memory_size.0.clone());
    let heap_bytes = heap_bytes.unwrap_or(u64::MAX);
    let uploader = pair::module(Role::Uploader, args.uploader.as_deref(), heap_bytes)?;
    if let Some(refusal) = heap_above_limit(&status) {
        return Err(change.refused(refusal));
    }
    if args.dry_run {
        tell_plan(args, output);
        return Ok(0);
    }
    let checks = change.checks(&args.check, &hash).await?;
    if hash == change.logbook.deployed_hash {
        change.answers_from_before(&checks, &status).await?;
        change.logbook.save()?;
    }
    let work = Work {
        bytes: args.bytes,
        uploader_hash: hex::encode(sha256(&uploader)),
        uploader,
        fixed,
        arg,
        checks,
    };
    go(&mut change, &work).await
}

fn tell_plan(args: &GrowStableArgs, output: &Output) {
    output.step("would stop the canister and take a snapshot to go back to");
    output.step("would put the uploader in, heap and stable memory kept");
    output.step(format!(
        "would grow stable memory to {}",
        human_bytes(args.bytes)
    ));
    output.step("would put the own module back over the heap, marked, pre_upgrade left in, post_upgrade not");
    match &args.upgrade {
        None => {
            output.step("would start it; its next upgrade needs wasm_memory_persistence = replace")
        }
        Some(file) => output.step(format!(
            "would upgrade to {}: pre_upgrade runs, the heap is replaced",
            file.display()
        )),
    }
}

struct Work {
    bytes: u64,
    uploader: Vec<u8>,
    uploader_hash: String,
    fixed: Option<Module>,
    arg: Vec<u8>,
    checks: Vec<Check>,
}

impl Work {
    fn fixed_hash(&self) -> Option<String> {
        self.fixed.as_ref().map(|module| hex::encode(module.sha256))
    }
}

/// From wherever it stands to the end: each turn looks, and takes the one step that comes next.
async fn go(change: &mut Changeover<'_>, work: &Work) -> Result<u8, CliError> {
    /// Uploader, own module, uploader again for more, own module, upgrade, end.
    const TURNS_MAX: usize = 6;
    for _ in 0..TURNS_MAX {
        let (status, hash) = change.look().await?;
        let stable_bytes = u64::try_from(status.memory_metrics.stable_memory_size.0.clone());
        let is_small = stable_bytes.is_ok_and(|found| found < work.bytes);
        if hash == change.logbook.deployed_hash {
            if !put_uploader_in(change, work).await? {
                return Ok(0);
            }
        } else if hash == work.uploader_hash {
            grow(change, work.bytes).await?;
            put_back(change).await?;
        } else if Some(&hash) == work.fixed_hash().as_ref() {
            return finish(change, work, &hash).await;
        } else if Some(&hash) == change.logbook.new_hash.as_ref() {
            match &work.fixed {
                _ if is_small => {
                    change.stop().await?;
                    change
                        .put_in(&work.uploader, Upgrade::SkipAndKeep, &[])
                        .await?;
                }
                None => return finish(change, work, &hash).await,
                Some(fixed) => upgrade(change, work, fixed).await?,
            }
        } else {
            return Err(change.refused(Refusal::ForeignChange {
                expected: change.logbook.deployed_hash.clone(),
                found: hash,
            }));
        }
    }
    Err(change.refused(Refusal::ForeignChange {
        expected: "the module that was just put in".to_string(),
        found: change.look().await?.1,
    }))
}

/// Snapshot, checks on the own module, uploader. False if there is nothing to do.
async fn put_uploader_in(change: &mut Changeover<'_>, work: &Work) -> Result<bool, CliError> {
    change.stop().await?;
    let (id, metadata) = change.snapshot().await?;
    if metadata.stable_memory_size >= work.bytes {
        let found = metadata.stable_memory_size;
        if let Some(fixed) = &work.fixed {
            change
                .output
                .step(format!("stable memory has {found} bytes already"));
            upgrade(change, work, fixed).await?;
            return Ok(true);
        }
        change.leave_untouched().await?;
        change.output.say(&Event::Done {
            text: format!(
                "stable memory of {} has {found} bytes already: it is not its size that the hook stumbles over",
                change.canister
            ),
        });
        return Ok(false);
    }
    let prepared = async {
        let own = change.deployed(&id, &metadata).await?;
        change.check_keepable(&own, &metadata)?;
        patch(&own.wasm, &Plan::POST_UPGRADE_ONLY).map_err(|error| own.error(error))
    };
    let marked = match prepared.await {
        Ok(marked) => marked,
        Err(error @ (CliError::ChangeRefused { .. } | CliError::Surgery { .. })) => {
            change.leave_untouched().await?;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    if Changeover::timer_is_set(&metadata) {
        change.output.warn(
            "the global timer is set: it is switched off until an upgraded module sets it again",
        );
    }
    change.logbook.new_hash = Some(hex::encode(sha256(&marked.module)));
    change.logbook.save()?;
    change.output.step("put the uploader in; the heap is kept");
    match change
        .put_in(&work.uploader, Upgrade::SkipAndKeep, &[])
        .await
    {
        Err(error @ CliError::Rejected(_)) => {
            change.leave_untouched().await?;
            Err(error)
        }
        other => other.map(|()| true),
    }
}

/// Grows through the uploader: a write of nothing at the end of the wanted size.
async fn grow(change: &Changeover<'_>, bytes: u64) -> Result<(), CliError> {
    change.start().await?;
    let patient = Patient::new(change.context.connection.clone(), change.canister);
    let nothing = Payload::Raw(Vec::new());
    change
        .output
        .step(format!("grow stable memory to {}", human_bytes(bytes)));
    let retry = &change.context.retry;
    retry
        .run(|| patient.write(Memory::Stable, bytes, &nothing))
        .await?;
    let found = patient.size(Memory::Stable, Asked::Subnet, retry).await?;
    if found < bytes {
        return Err(CliError::Unsupported {
            what: format!(
                "stable memory has {found} bytes after growing it to {bytes}: run the same command again"
            ),
        });
    }
    change.stop().await
}

/// The own module over its heap again: with pre_upgrade and marker, without post_upgrade.
async fn put_back(change: &mut Changeover<'_>) -> Result<(), CliError> {
    let snapshot = change.logbook.snapshot.as_deref().map(hex::decode);
    let Some(Ok(id)) = snapshot else {
        return Err(change.refused(Refusal::NoWayBack));
    };
    let metadata = change.management().snapshot_metadata(&id).await?;
    let own = change.deployed(&id, &metadata).await?;
    let marked = patch(&own.wasm, &Plan::POST_UPGRADE_ONLY).map_err(|error| own.error(error))?;
    for done in &marked.changes {
        change.output.step(format!("patch: {}", describe(done)));
    }
    change
        .output
        .step("put the own module back; the heap is kept");
    change
        .put_in(&marked.module, Upgrade::SkipAndKeep, &[])
        .await
}

/// The upgrade that the canister could not do: its own hook runs. If it traps again, the canister goes on as it is.
async fn upgrade(change: &mut Changeover<'_>, work: &Work, fixed: &Module) -> Result<(), CliError> {
    change.stop().await?;
    change
        .output
        .step(format!("upgrade to {}: pre_upgrade runs", fixed.name));
    match change
        .put_in(&fixed.bytes, Upgrade::RunAndReplace, &work.arg)
        .await
    {
        Err(error @ CliError::Rejected(_)) => {
            if change.logbook.was_running {
                change.start().await?;
            }
            change.output.warn(
                "the upgrade was rejected: the canister goes on with its own module over the larger stable memory; \
                 give a larger size, or another module, with the same command",
            );
            Err(error)
        }
        other => other,
    }
}

async fn finish(change: &mut Changeover<'_>, work: &Work, hash: &str) -> Result<u8, CliError> {
    if change.logbook.was_running {
        change.start().await?;
        change.compare_or_roll_back(&work.checks).await?;
    }
    change.logbook.outcome = Outcome::Done;
    change.logbook.save()?;
    change.output.say(&Event::Installed {
        canister: change.canister.to_text(),
        module_hash: hash.to_string(),
    });
    if work.fixed.is_none() {
        change.output.step(
            "its next upgrade runs its pre_upgrade and needs wasm_memory_persistence = replace: \
             run this command again with --upgrade FILE, or any tool that can say so",
        );
    }
    change.output.step(format!(
        "snapshot {} is the way back: delete it once you are sure",
        change.logbook.snapshot.as_deref().unwrap_or("-")
    ));
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_understood() {
        assert_eq!(bytes("65536"), Ok(65_536));
        assert_eq!(bytes("64KiB"), Ok(65_536));
        assert_eq!(bytes("3 GiB"), Ok(3 << 30));
        for text in ["", "x", "1MB", "-1", "99999999999GiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}

//! `install`: puts the repaired module in through the rescue canister, and starts the canister.
//!
//! The hash of the module is declared first; the rescue canister hashes what it got on chain and installs
//! nothing else. `pre_upgrade` is skipped, stable memory is kept.

use super::{Context, read_file};
use crate::args::{NetworkArgs, canister};
use crate::case::{Case, describe, report};
use crate::commands::backup::HeapArg;
use crate::error::CliError;
use crate::limits::{CASE_STEPS_MAX, MODULE_INLINE_MAX_BYTES};
use crate::output::{Event, Output, human_bytes};
use archive::digests::{CHUNK_LEN_BYTES, sha256};
use clap::Args;
use rescue_api::{
    CaseView, DeclareArgs, FinalModule, Held, ModuleChunkArgs, Operation, Phase, Run, StagedModule,
    methods,
};
use serde_bytes::ByteBuf;
use std::path::PathBuf;

/// Options of `install`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue install bkyz2-fmaaa-aaaaa-qaaaq-cai --module fixed.wasm --rescue bd3sg-teaaa-aaaaa-qaaba-cai --identity me.pem"
)]
pub struct InstallArgs {
    /// The canister.
    pub canister: String,
    /// The repaired module, plain or gzipped.
    #[arg(long, value_name = "FILE")]
    pub module: PathBuf,
    /// File with the candid bytes of the argument for post_upgrade. Without it: `()`.
    #[arg(long, value_name = "FILE")]
    pub arg_file: Option<PathBuf>,
    /// What becomes of the heap. Keep only for a module made to go on with it.
    #[arg(long, value_enum, default_value = "replace")]
    pub heap: HeapArg,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Install although memories were emptied and not proven to be restored.
    #[arg(long)]
    pub although_unattested: bool,
}

/// Runs the verb.
///
/// # Errors
/// Whatever ended it.
pub async fn execute(
    args: &InstallArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let module = read_file(&args.module)?;
    let hash = sha256(&module);
    let arg = match &args.arg_file {
        Some(path) => read_file(path)?,
        None => wire::candid::UNIT.to_vec(),
    };
    let context = Context::open(network, "install").await?;
    let case = Case::find(context.rescue(network, "install")?, canister, false)
        .await?
        .telling(output);

    if args.dry_run {
        output.say(&report(&case.view().await?));
        output.step(format!(
            "would stop the canister, install module {} ({}; stable memory kept, pre_upgrade skipped), start it",
            hex::encode(hash),
            human_bytes(module.len() as u64)
        ));
        return Ok(0);
    }
    for _ in 0..CASE_STEPS_MAX {
        let view = case.view().await?;
        match view.phase {
            Phase::Holding {
                module: Held::Final,
                run: Run::Running,
            } => {
                let found = view.last_seen.module_hash.as_ref().map(hex::encode);
                if found != Some(hex::encode(hash)) {
                    return Err(CliError::Unsupported {
                        what: format!(
                            "case {} already installed another final module ({}): close it and open a new one",
                            case.number(),
                            found.unwrap_or_else(|| "none".into())
                        ),
                    });
                }
                context.report(output);
                output.say(&Event::Installed {
                    canister: canister.to_text(),
                    module_hash: hex::encode(hash),
                });
                return Ok(0);
            }
            Phase::Holding {
                module: Held::Final,
                ..
            } => {
                output.step(describe(&Operation::Start));
                let _: CaseView = case.take(methods::START, (case.number(),)).await?;
            }
            Phase::Holding {
                run: Run::Running | Run::Stopping,
                ..
            } => {
                output.step(describe(&Operation::Stop));
                let _: CaseView = case.take(methods::STOP, (case.number(),)).await?;
            }
            Phase::Holding { .. } => put_in(&case, &view, args, &module, &arg, output).await?,
            _ => {
                let _: CaseView = case.take(methods::SETTLE, (case.number(),)).await?;
            }
        }
    }
    Err(CliError::CaseStuck {
        case: case.number(),
        steps: CASE_STEPS_MAX,
    })
}

/// Declares, hands over and installs the module.
async fn put_in(
    case: &Case,
    view: &CaseView,
    args: &InstallArgs,
    module: &[u8],
    arg: &[u8],
    output: &Output,
) -> Result<(), CliError> {
    let hash = sha256(module);
    if view
        .final_module_hash
        .as_ref()
        .is_none_or(|declared| declared[..] != hash[..])
    {
        output.step(format!("declare module {}", hex::encode(hash)));
        let declare = DeclareArgs {
            case: case.number(),
            final_module_hash: ByteBuf::from(hash.to_vec()),
        };
        let _: CaseView = case.take(methods::DECLARE, (declare,)).await?;
    }
    let handed_over = if module.len() <= MODULE_INLINE_MAX_BYTES {
        FinalModule::Inline(ByteBuf::from(module.to_vec()))
    } else {
        let _: StagedModule = case.step(methods::CLEAR_MODULE, (case.number(),)).await?;
        for (index, data) in (0..).zip(module.chunks(CHUNK_LEN_BYTES as usize)) {
            output.detail(format!("stage chunk {index} of the module"));
            let chunk = ModuleChunkArgs {
                case: case.number(),
                index,
                data: ByteBuf::from(data.to_vec()),
            };
            let _: StagedModule = case.step(methods::PUT_MODULE_CHUNK, (chunk,)).await?;
        }
        FinalModule::Staged
    };
    output.step("install the final module");
    let install = rescue_api::InstallArgs {
        case: case.number(),
        module: handed_over,
        heap: args.heap.into(),
        arg: ByteBuf::from(arg.to_vec()),
        although_unattested: args.although_unattested,
    };
    let _: CaseView = case.take(methods::INSTALL, (install,)).await?;
    Ok(())
}

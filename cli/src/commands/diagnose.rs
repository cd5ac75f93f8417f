//! `diagnose`: is the canister bricked, and which way out fits? Changes nothing.

use super::Context;
use super::plan::Estimate;
use super::read_file;
use crate::args::{NetworkArgs, canister};
use crate::cost::REFERENCE_NODES;
use crate::error::CliError;
use crate::hooks::{Hooks, last_trap};
use crate::management::{Management, Status};
use crate::modules::Module;
use crate::output::{Event, Output, human_bytes};
use candid::{Nat, Principal};
use clap::Args;
use ic_management_canister_types::CanisterStatusType;
use std::path::PathBuf;

/// Options of `diagnose`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue diagnose bkyz2-fmaaa-aaaaa-qaaaq-cai --rescue bd3sg-teaaa-aaaaa-qaaba-cai --identity me.pem\n  ic-rescue diagnose bkyz2-fmaaa-aaaaa-qaaaq-cai --module deployed.wasm --identity me.pem"
)]
pub struct DiagnoseArgs {
    /// The canister.
    pub canister: String,
    /// The module that is deployed, plain or gzipped, to tell its upgrade hooks. Without it: the one in the newest
    /// snapshot, if it is the same.
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,
    /// Nodes of the canister's subnet, for what a rescue costs.
    #[arg(long, default_value_t = REFERENCE_NODES, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=200))]
    pub nodes: u32,
}

/// Last log lines that are shown.
const LOG_LINES_MAX: usize = 10;

/// Runs the verb.
///
/// # Errors
/// When nothing at all can be learned.
pub async fn execute(
    args: &DiagnoseArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let given = match &args.module {
        Some(path) => Some(Module::new(path, read_file(path)?)?),
        None => None,
    };
    let context = Context::open(network, "diagnose").await?;
    let caller = context.connection.caller()?;
    let hash = context
        .retry
        .run(|| context.connection.module_hash(canister))
        .await?;
    fact(
        output,
        "module hash",
        hash.as_ref().map_or("no module".into(), hex::encode),
    );
    let marker = context
        .retry
        .run(|| {
            context
                .connection
                .metadata(canister, "enhanced-orthogonal-persistence")
        })
        .await;
    fact(
        output,
        "heap kept by its upgrades",
        match marker {
            Ok(Some(_)) => {
                "yes (enhanced orthogonal persistence): a swap must keep or replace it".into()
            }
            Ok(None) => "no: a swap with keep rescues it nevertheless".into(),
            Err(_) => "not told: the section is private to controllers".into(),
        },
    );
    let management = Management::new(&context.connection, canister, &context.retry);
    let status = match management.status().await {
        Ok(status) => status,
        Err(CliError::Rejected(error)) => {
            tell_hooks(hash.as_deref(), given.as_ref(), None, output).await?;
            fact(output, "status", format!("not told: {}", error.message));
            output.warn(format!(
                "{caller} is not a controller of {canister}: nothing can be done with this identity"
            ));
            return Ok(0);
        }
        Err(error) => return Err(error),
    };
    tell_hooks(hash.as_deref(), given.as_ref(), Some(&management), output).await?;
    tell_status(&status, output);
    tell_logs(&management, output).await;
    let snapshots = management.snapshots().await?.len();
    fact(output, "snapshots", format!("{snapshots} of at most 10"));
    advise(&status, network, caller, output)?;
    let estimate = Estimate::new(&status, false, args.nodes);
    fact(output, "cost", estimate.to_string());
    estimate.warn_if_short(&status, output);
    output.step(
        "whether an upgrade traps cannot be told without trying one; a failed upgrade changes nothing",
    );
    Ok(0)
}

async fn tell_hooks(
    deployed: Option<&[u8]>,
    given: Option<&Module>,
    management: Option<&Management<'_>>,
    output: &Output,
) -> Result<(), CliError> {
    let hooks = Hooks::find(deployed, given, management).await?;
    fact(output, "upgrade hooks", hooks.to_string());
    Ok(())
}

fn tell_status(status: &Status, output: &Output) {
    let run = match status.status {
        CanisterStatusType::Running => "running",
        CanisterStatusType::Stopping => "stopping: it waits for answers to its own calls",
        CanisterStatusType::Stopped => "stopped",
    };
    fact(output, "status", run.into());
    let sizes = &status.memory_metrics;
    fact(
        output,
        "stable memory",
        human_bytes(bytes(&sizes.stable_memory_size)),
    );
    fact(output, "heap", human_bytes(bytes(&sizes.wasm_memory_size)));
    fact(
        output,
        "module size",
        human_bytes(bytes(&sizes.wasm_binary_size)),
    );
    fact(output, "cycles", status.cycles.to_string());
    let limit = &status.settings.wasm_memory_limit;
    if *limit != 0u8 && *limit < sizes.wasm_memory_size {
        output.warn("the heap is beyond wasm_memory_limit: set the limit to 0 before a swap");
    }
    let controllers: Vec<String> = status
        .settings
        .controllers
        .iter()
        .map(Principal::to_text)
        .collect();
    fact(output, "controllers", controllers.join(", "));
}

/// Shows the last lines of the canister's log: a trapping hook leaves its message there.
async fn tell_logs(management: &Management<'_>, output: &Output) {
    match management.logs().await {
        Ok(lines) if lines.is_empty() => fact(output, "log", "empty".into()),
        Ok(lines) => {
            for line in lines.iter().rev().take(LOG_LINES_MAX).rev() {
                fact(output, "log", line.clone());
            }
            if let Some(trap) = last_trap(&lines) {
                fact(output, "last trap", trap.to_string());
            }
        }
        Err(error) => fact(output, "log", format!("not told: {error}")),
    }
}

fn advise(
    status: &Status,
    network: &NetworkArgs,
    caller: Principal,
    output: &Output,
) -> Result<(), CliError> {
    let controls = |who: &Principal| status.settings.controllers.contains(who);
    let route = match &network.rescue {
        Some(text) => {
            let rescue = canister(text, network)?;
            if controls(&rescue) {
                "with the rescue canister: `ic-rescue backup`".to_string()
            } else {
                format!("add {rescue} to the controllers, then with the rescue canister: `ic-rescue backup`")
            }
        }
        None if controls(&caller) => {
            "as a controller: `ic-rescue backup --direct`; with a rescue canister there is a way back and a \
             certificate"
                .to_string()
        }
        None => "none: this identity is not a controller".to_string(),
    };
    fact(output, "way out", route);
    Ok(())
}

fn fact(output: &Output, name: &str, value: String) {
    output.say(&Event::Fact {
        name: name.into(),
        value,
    });
}

fn bytes(nat: &Nat) -> u64 {
    u64::try_from(nat.0.clone()).unwrap_or(u64::MAX)
}

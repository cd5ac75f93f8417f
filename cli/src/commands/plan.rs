//! `plan`: what a rescue would do, what it would cost, and what cannot be undone. Changes nothing.

use super::Context;
use crate::args::{NetworkArgs, canister};
use crate::cost::{Costs, REFERENCE_NODES, human_cycles};
use crate::error::CliError;
use crate::management::{Management, Status};
use crate::offline_patient::{PatientArgs, beside, engine, open};
use crate::output::{Event, Output};
use crate::report::OfflineEvent;
use crate::ways;
use archive::layout::check_canister;
use candid::{Nat, Principal};
use clap::Args;
use offline::prognosis::Question;
use offline::{Rules, Surroundings};
use std::fmt;
use std::path::PathBuf;

/// Options of `plan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue plan bkyz2-fmaaa-aaaaa-qaaaq-cai --restore --identity me.pem\n\nExit code with --backup: 0 if pre_upgrade ends off chain as it is, 9 if options are named under which it ends, 10 if there are none."
)]
pub struct PlanArgs {
    /// The canister.
    pub canister: String,
    /// Plan with a restore of both memories, too.
    #[arg(long)]
    pub restore: bool,
    /// Nodes of the canister's subnet.
    #[arg(long, default_value_t = REFERENCE_NODES, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=200))]
    pub nodes: u32,
    /// A backup of it with the heap, for example one made `--by-snapshot`: say also what its pre_upgrade does
    /// off chain, and which ways there are if it fails.
    #[arg(long, value_name = "DIR")]
    pub backup: Option<PathBuf>,
}

/// One step of a plan.
struct Step {
    text: &'static str,
    bytes: u64,
    cycles: u128,
    way_back: &'static str,
}

/// Runs the verb.
///
/// # Errors
/// When the canister's status cannot be read.
pub async fn execute(
    args: &PlanArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let canister = canister(&args.canister, network)?;
    let context = Context::open(network, "plan").await?;
    let management = Management::new(&context.connection, canister, &context.retry);
    let status = management.status().await?;
    for step in steps(&status, args.restore, Costs::new(args.nodes)) {
        output.say(&Event::PlanStep {
            text: step.text.into(),
            bytes: step.bytes,
            cycles: step.cycles.to_string(),
            way_back: step.way_back.into(),
        });
    }
    let estimate = Estimate::new(&status, args.restore, args.nodes);
    output.step(format!("in all {estimate}"));
    estimate.warn_if_short(&status, output);
    match &args.backup {
        Some(directory) => prognosis(directory.clone(), canister, network, output).await,
        None => Ok(0),
    }
}

/// What the hook of the canister does over a backup of it; returns the exit code.
async fn prognosis(
    directory: PathBuf,
    canister: Principal,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let (network, output) = (network.clone(), output.clone());
    beside(move || {
        let engine = engine();
        let args = PatientArgs {
            directory,
            module: None,
            force_module: None,
            canister: None,
        };
        let patient = open(&args, &network, &engine, &output)?;
        check_canister(
            &args.directory,
            &patient.canister.to_text(),
            &canister.to_text(),
        )?;
        let question = Question {
            surroundings: Surroundings::default(),
            rules: Rules::default(),
            trouble: None,
        };
        let asked = (&engine, &patient);
        let report = ways::examine(asked, &question, &args.directory, |_| Ok(None), &output)?;
        let code = report.exit_code();
        output.say(&Event::Offline(OfflineEvent::Prognosis(Box::new(report))));
        Ok(code)
    })
    .await
}

/// What a rescue costs in all.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// Cycles that it uses.
    total: u128,
    /// Cycles that must be free besides, during an installation.
    prepaid: u128,
    nodes: u32,
}

impl Estimate {
    /// For a canister of that status, on a subnet of so many nodes; with a restore of both memories or without.
    pub fn new(status: &Status, restore: bool, nodes: u32) -> Self {
        let costs = Costs::new(nodes);
        let cycles = steps(status, restore, costs)
            .into_iter()
            .map(|step| step.cycles);
        Self {
            total: cycles.sum(),
            prepaid: costs.install_prepaid(),
            nodes,
        }
    }

    /// Warns of a canister that cannot pay for it.
    pub fn warn_if_short(self, status: &Status, output: &Output) {
        let needed = self.prepaid + self.total;
        if status.cycles < needed {
            output.warn(format!(
                "the canister has {} cycles: top it up to {} plus what its freezing threshold holds",
                status.cycles,
                human_cycles(needed)
            ));
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "about {} cycles on a subnet of {} nodes; {} more must be free during an installation",
            human_cycles(self.total),
            self.nodes,
            human_cycles(self.prepaid)
        )
    }
}

fn steps(status: &Status, restore: bool, costs: Costs) -> Vec<Step> {
    let stable = bytes(&status.memory_metrics.stable_memory_size);
    let heap = bytes(&status.memory_metrics.wasm_memory_size);
    let all = bytes(&status.memory_size);
    let memories = stable + heap;
    // Each is hashed by itself.
    let checksums = costs.checksum(stable) + costs.checksum(heap);
    let step = |text, bytes, cycles, way_back| Step {
        text,
        bytes,
        cycles,
        way_back,
    };
    let mut steps = vec![
        step("stop the canister", 0, 0, "start it"),
        step("take a snapshot", all, costs.snapshot(all), "delete it"),
        step(
            "keep the snapshot for one day",
            all,
            costs.storage_day(all),
            "delete it",
        ),
        step(
            "swap the downloader in, start",
            0,
            costs.swap(),
            "load the snapshot (rollback)",
        ),
        step(
            "hash both memories on chain",
            memories,
            checksums,
            "nothing to undo",
        ),
        step(
            "download both memories by plain queries",
            memories,
            0,
            "nothing to undo",
        ),
    ];
    if restore {
        steps.extend([
            step(
                "swap the uploader in over emptied memories",
                0,
                costs.swap(),
                "load the snapshot (rollback)",
            ),
            step(
                "upload what is not zero (upper bound)",
                memories,
                costs.upload(memories),
                "load the snapshot (rollback)",
            ),
            step(
                "hash both memories again and compare",
                memories,
                checksums,
                "nothing to undo",
            ),
        ]);
    }
    steps.push(step(
        "install the repaired module, start",
        0,
        costs.swap(),
        "load the snapshot (rollback); what the canister did since is then lost",
    ));
    steps.push(step(
        "close the case, delete the snapshot",
        0,
        0,
        "none: from here on there is no way back",
    ));
    steps
}

fn bytes(nat: &Nat) -> u64 {
    u64::try_from(nat.0.clone()).unwrap_or(u64::MAX)
}

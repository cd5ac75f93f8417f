//! `rehearse`: would this upgrade pass on chain, and the next one as well? Runs both over a backup, under
//! the rules of the chain. Needs no network; the backup stays as it is.

use crate::args::NetworkArgs;
use crate::commands::read_file;
use crate::error::{CliError, EXIT_FINDINGS, EXIT_NO_WAY};
use crate::offline_patient::{PatientArgs, SurroundingsArgs, beside, engine, open, progress};
use crate::output::{Event, Output};
use crate::report::{OfflineEvent, human_instructions};
use crate::ways;
use clap::{Args, ValueEnum};
use engine::{Engine, HeapHandling, Limits};
use offline::prognosis::Question;
use offline::rehearse::{Check, Plan, Rehearsal, answer, rehearse, rehearse_over, usual_heap};
use offline::{Interface, OfflineError, Patient, Ran, Rules};
use std::path::PathBuf;

/// What a stage is called that runs the old module's hook.
const HOOK: &str = "canister_pre_upgrade";

/// Options of `rehearse`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue rehearse saved/ --new fixed.wasm --skip-pre-upgrade --check digest --check 'numbers=(0, 10)'\n\nsaved/ is what `ic-rescue run` made of a backup. Without --skip-pre-upgrade the old module's hook is tried, too.\n\nExit code 0: it would pass. 3: it would not, or a check answers otherwise; where the old pre_upgrade is to blame, the rules are named under which it ends. 10: it fails under any rule."
)]
pub struct RehearseArgs {
    /// The backup, or a snapshot directory that dfx or icp downloaded.
    pub directory: PathBuf,
    /// The module that the canister runs. Without it: the one in the backup.
    #[arg(long, value_name = "FILE")]
    pub old: Option<PathBuf>,
    /// Use the old module although it is not the one that the canister ran. Say why.
    #[arg(long, value_name = "REASON", requires = "old")]
    pub force_module: Option<String>,
    /// The module to upgrade to.
    #[arg(long, value_name = "FILE")]
    pub new: PathBuf,
    /// File with the candid bytes of the argument for post_upgrade. Without it: `()`.
    #[arg(long, value_name = "FILE")]
    pub arg_file: Option<PathBuf>,
    /// A query that must answer the same before and after; may be given several times.
    #[arg(long, value_name = "METHOD[=(CANDID)]")]
    pub check: Vec<String>,
    /// The candid interface for the checks. Without it: the one that each module carries.
    #[arg(long, value_name = "FILE")]
    pub candid: Option<PathBuf>,
    /// Leave the old module's pre_upgrade out, as an installation by `install` does.
    #[arg(long)]
    pub skip_pre_upgrade: bool,
    /// What becomes of the heap. Default: replaced, kept where both modules have enhanced orthogonal
    /// persistence.
    #[arg(long, value_enum, value_name = "HEAP")]
    pub heap: Option<Heap>,
    /// The canister, if the directory does not tell.
    #[arg(long, value_name = "CANISTER_ID")]
    pub canister: Option<String>,
    /// What the code sees of the world.
    #[command(flatten)]
    pub surroundings: SurroundingsArgs,
}

/// What becomes of the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Heap {
    /// It stays.
    Keep,
    /// It is the new module's fresh one.
    Replace,
}

/// Runs the verb.
///
/// # Errors
/// When the rehearsal cannot be made; an upgrade that would fail is no error but exit code 3.
pub async fn execute(
    args: &RehearseArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let (args, network, output) = (args.clone(), network.clone(), output.clone());
    beside(move || compute(&args, &network, &output)).await
}

fn compute(args: &RehearseArgs, network: &NetworkArgs, output: &Output) -> Result<u8, CliError> {
    let patient_args = PatientArgs {
        directory: args.directory.clone(),
        module: args.old.clone(),
        force_module: args.force_module.clone(),
        canister: args.canister.clone(),
    };
    let surroundings = args.surroundings.parse()?;
    let engine = engine();
    let new = engine.load_module(&read_file(&args.new)?);
    let new = new.map_err(offline::OfflineError::from)?;
    let patient = open(&patient_args, network, &engine, output)?;
    let heap = match args.heap {
        Some(Heap::Keep) => HeapHandling::Keep,
        Some(Heap::Replace) => HeapHandling::Replace,
        None => usual_heap(&patient.state.module, &new),
    };
    if heap == HeapHandling::Keep && !new.has_marker() {
        return Err(CliError::Unsupported {
            what: "the new module has no enhanced orthogonal persistence: the chain does not keep the heap for it"
                .into(),
        });
    }
    let plan = Plan {
        new,
        argument: match &args.arg_file {
            Some(path) => read_file(path)?,
            None => wire::candid::UNIT.to_vec(),
        },
        heap,
        skip_pre_upgrade: args.skip_pre_upgrade,
        checks: args.check.iter().map(|text| Check::parse(text)).collect(),
        surroundings,
        interface: args.candid.as_deref().map(Interface::of_file).transpose()?,
    };
    let mut watch = |stage: &str| Some(progress(stage, output));
    let rehearsal = rehearse(&engine, &patient, &plan, &mut watch)?;
    tell(&rehearsal, output);
    if rehearsal.passes() {
        return Ok(0);
    }
    if !old_hook_fails(&rehearsal) {
        return Ok(EXIT_FINDINGS);
    }
    let question = Question {
        surroundings: plan.surroundings.clone(),
        rules: Rules::default(),
        trouble: None,
    };
    let after_hook = Plan {
        skip_pre_upgrade: true,
        ..plan
    };
    let judge = |ran: &Ran| taken_over(&engine, &patient, ran, &after_hook).map(Some);
    let report = ways::examine(
        (&engine, &patient),
        &question,
        &args.directory,
        judge,
        output,
    )?;
    let code = report.exit_code();
    output.say(&Event::Offline(OfflineEvent::Prognosis(Box::new(report))));
    Ok(match code {
        EXIT_NO_WAY => EXIT_NO_WAY,
        _ => EXIT_FINDINGS,
    })
}

/// Whether the old module's hook is what ends the first upgrade.
fn old_hook_fails(rehearsal: &Rehearsal) -> bool {
    let failed = rehearsal
        .stages
        .iter()
        .find(|stage| stage.failure.is_some());
    failed.is_some_and(|stage| stage.upgrade == "first" && stage.name == HOOK)
}

/// What the new module makes of what the old one's hook left off chain.
///
/// # Errors
/// When the modules do not fit the options.
pub fn taken_over(
    engine: &Engine,
    patient: &Patient,
    ran: &Ran,
    plan: &Plan,
) -> Result<String, OfflineError> {
    let mut rehearsal = rehearse_over(engine, patient, &ran.state, plan, &mut |_| None)?;
    for compared in &mut rehearsal.checks {
        // A hook may take apart what it saves: what counts is what was answered before it ran.
        compared.before = answer(engine, patient, &patient.state, &compared.check, plan);
    }
    Ok(verdict(&rehearsal))
}

/// Reports stages, checks and the verdict.
pub fn tell(rehearsal: &Rehearsal, output: &Output) {
    for stage in &rehearsal.stages {
        output.say(&Event::Offline(stage.into()));
    }
    for compared in &rehearsal.checks {
        output.say(&Event::Offline(compared.into()));
    }
    output.say(&Event::Offline(OfflineEvent::Rehearsed {
        passes: rehearsal.passes(),
        verdict: verdict(rehearsal),
    }));
}

/// What a rehearsal says, in one sentence.
pub fn verdict(rehearsal: &Rehearsal) -> String {
    if let Some(failed) = rehearsal
        .stages
        .iter()
        .find(|stage| stage.failure.is_some())
    {
        return format!(
            "the {} upgrade would NOT pass on chain: {} fails; the canister would stay as it was before",
            failed.upgrade, failed.name
        );
    }
    let differing = rehearsal
        .checks
        .iter()
        .filter(|check| !check.is_equal())
        .count();
    if differing > 0 {
        return format!(
            "the upgrade would pass on chain, but {differing} of {} checks do not answer as before",
            rehearsal.checks.len()
        );
    }
    let used = Limits::INSTALL_INSTRUCTIONS
        - rehearsal
            .stages
            .iter()
            .map(|stage| stage.left)
            .min()
            .unwrap_or(Limits::INSTALL_INSTRUCTIONS);
    let checks = match rehearsal.checks.len() {
        0 => "no checks were given".to_string(),
        count => format!("all {count} checks answer as before"),
    };
    format!(
        "the upgrade and the next one would pass on chain: at most {} of {} used, {checks}",
        human_instructions(used),
        human_instructions(Limits::INSTALL_INSTRUCTIONS)
    )
}

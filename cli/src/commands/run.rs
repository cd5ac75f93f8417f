//! `run`: runs a canister's hook over its backup, without the limits that broke it, and writes what it
//! leaves as a new backup. Needs no network; the backup stays as it is.

use crate::args::NetworkArgs;
use crate::error::CliError;
use crate::offline_patient::{
    Left, PatientArgs, RulesArgs, SurroundingsArgs, beside, engine, keep, open, progress, tell,
};
use crate::output::Output;
use crate::ways;
use clap::{Args, ValueEnum};
use engine::{Engine, Entry};
use offline::prognosis::Question;
use offline::run::{Order, entry_name, run};
use offline::save::check_target;
use offline::trace::Tracer;
use offline::{OfflineError, Patient, Ran};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// Options of `run`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Example:\n  ic-rescue run backup/ pre_upgrade -o saved/\n  ic-rescue run backup/ --module deployed.wasm pre_upgrade --rule stable32=low --answer call=0 --trace calls.txt -o saved-low/\n\nThen: ic-rescue restore saved/ CANISTER --memory stable. See docs/OFFLINE.md.\n\nA pre_upgrade that fails all the same: exit code 9 if options are named under which it ends, 10 if there are none."
)]
pub struct RunArgs {
    /// The backup and its module.
    #[command(flatten)]
    pub patient: PatientArgs,
    /// What to run.
    #[arg(value_enum)]
    pub entry: EntryArg,
    /// New directory for the result. Without it nothing is written.
    #[arg(short, long, value_name = "NEWDIR")]
    pub output: Option<PathBuf>,
    /// Leave the heap out of the result.
    #[arg(long)]
    pub without_heap: bool,
    /// File with the candid bytes of the argument for post_upgrade. Without it: `()`.
    #[arg(long, value_name = "FILE")]
    pub arg_file: Option<PathBuf>,
    /// Write every system call to a file. Slow.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Rules that are relaxed.
    #[command(flatten)]
    pub rules: RulesArgs,
    /// What the code sees of the world.
    #[command(flatten)]
    pub surroundings: SurroundingsArgs,
}

/// What can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum EntryArg {
    /// The hook that saves state before an upgrade.
    PreUpgrade,
    /// The hook that takes state over after an upgrade.
    PostUpgrade,
    /// The timer.
    GlobalTimer,
    /// The heartbeat.
    Heartbeat,
}

impl EntryArg {
    fn entry(self, arg: Vec<u8>) -> Entry {
        match self {
            Self::PreUpgrade => Entry::PreUpgrade,
            Self::PostUpgrade => Entry::PostUpgrade { arg },
            Self::GlobalTimer => Entry::GlobalTimer,
            Self::Heartbeat => Entry::Heartbeat,
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// When the code fails all the same; then nothing is written.
pub async fn execute(
    args: &RunArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<u8, CliError> {
    let (args, network, output) = (args.clone(), network.clone(), output.clone());
    beside(move || compute(&args, &network, &output)).await
}

fn compute(args: &RunArgs, network: &NetworkArgs, output: &Output) -> Result<u8, CliError> {
    compute_judged(args, network, output, &|_, _, _| Ok(None))
}

/// Says what it thinks of what a hook left, when several rules let it end.
pub type Judge<'a> = &'a dyn Fn(&Engine, &Patient, &Ran) -> Result<Option<String>, OfflineError>;

/// The verb, computing. A `pre_upgrade` that fails is tried with more rules relaxed, and `judge` is asked
/// about each way that is found.
///
/// # Errors
/// As [`execute`]; [`CliError::HookFails`] says what it would take.
pub fn compute_judged(
    args: &RunArgs,
    network: &NetworkArgs,
    output: &Output,
    judge: Judge<'_>,
) -> Result<u8, CliError> {
    let rules = args.rules.parse()?;
    let surroundings = args.surroundings.parse()?;
    // A mistake there must show before hours of computing.
    for target in args
        .output
        .iter()
        .flat_map(|target| [target.clone(), separate(target)])
    {
        check_target(&target)?;
    }
    let trace = args.trace.as_deref().map(tracer).transpose()?;
    let arg = match &args.arg_file {
        Some(path) => crate::commands::read_file(path)?,
        None => wire::candid::UNIT.to_vec(),
    };
    let engine = engine();
    let patient = open(&args.patient, network, &engine, output)?;
    let entry = args.entry.entry(arg);
    let name = entry_name(&entry);
    output.step(format!("run {name} with {}", rules.words().join(", ")));
    let order = Order {
        entry,
        surroundings: surroundings.clone(),
        rules: rules.clone(),
        trace,
    };
    let ran = match run(&engine, &patient, order, Some(progress(&name, output))) {
        Ok(ran) => ran,
        Err(OfflineError::Failed {
            entry,
            instructions,
            error,
            trouble,
            hint,
        }) if args.entry == EntryArg::PreUpgrade => {
            let question = Question {
                surroundings,
                rules,
                trouble: Some(*trouble.clone()),
            };
            let asked = (&engine, &patient);
            let judge = |ran: &Ran| judge(&engine, &patient, ran);
            let directory = &args.patient.directory;
            let report = ways::examine(asked, &question, directory, judge, output)?;
            return Err(report.into_error(
                OfflineError::Failed {
                    entry,
                    instructions,
                    error,
                    trouble,
                    hint,
                },
                output,
            ));
        }
        Err(error) => return Err(error.into()),
    };
    tell(&patient, &ran, &ran.state.stable, output);
    let Some(target) = &args.output else {
        output.step("nothing was written: give a new directory with -o");
        return Ok(0);
    };
    let left = Left {
        patient: &patient,
        ran: &ran,
        stable: &ran.state.stable,
        with_heap: !args.without_heap,
    };
    if let Some(memory) = &ran.separate {
        let left = Left {
            stable: memory,
            with_heap: false,
            ..left
        };
        keep(&separate(target), &left, output)?;
    }
    keep(target, &left, output)?;
    Ok(0)
}

/// Where the memory goes that 32-bit functions were served on by themselves.
fn separate(target: &Path) -> PathBuf {
    // Without a separator at its end, if there is one.
    let mut name = target.components().as_path().as_os_str().to_owned();
    name.push(".stable32");
    name.into()
}

fn tracer(path: &Path) -> Result<Tracer, CliError> {
    let file = File::create(path).map_err(|source| {
        CliError::Offline(offline::OfflineError::Write {
            path: path.to_path_buf(),
            source,
        })
    })?;
    Ok(Tracer::new(Box::new(BufWriter::new(file))))
}

//! What the verbs that run code off chain share: options, opening a verified backup, progress, saving.

use crate::args::{NetworkArgs, canister};
use crate::commands::{now_ns, read_file, verify};
use crate::error::CliError;
use crate::limits::PROGRESS_EVERY;
use crate::output::{Event, Output};
use crate::report::{OfflineEvent, human_instructions};
use archive::{Backup, Memory, Shared};
use clap::Args;
use engine::{Engine, EngineConfig, Limits, Progress, StableMemory};
use offline::patient::Given;
use offline::save::{Content, handled_bytes, save};
use offline::surroundings::{CYCLES_DEFAULT, principal};
use offline::{Patient, Rules, Surroundings};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// From here on a run is called long: ten times what all of an upgrade may use.
const LONG_RUN_INSTRUCTIONS: u64 = 10 * Limits::INSTALL_INSTRUCTIONS;

/// The backup and its module.
#[derive(Clone, Debug, Args)]
pub struct PatientArgs {
    /// The backup, or a snapshot directory that dfx or icp downloaded.
    pub directory: PathBuf,
    /// The module that the canister ran, plain or gzipped. Without it: the one in the backup.
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,
    /// Use the module although it is not the one that the canister ran. Say why.
    #[arg(long, value_name = "REASON", requires = "module")]
    pub force_module: Option<String>,
    /// The canister, if the directory does not tell.
    #[arg(long, value_name = "CANISTER_ID")]
    pub canister: Option<String>,
}

/// What the code sees of the world.
#[derive(Clone, Debug, Args)]
pub struct SurroundingsArgs {
    /// Who calls. Default: the anonymous principal.
    #[arg(long, value_name = "PRINCIPAL")]
    pub caller: Option<String>,
    /// Who is a controller; may be given several times.
    #[arg(long, value_name = "PRINCIPAL")]
    pub controller: Vec<String>,
    /// The time, nanoseconds since 1970. Default: when the backup was taken.
    #[arg(long, value_name = "NANOSECONDS")]
    pub time: Option<u64>,
    /// The canister's cycles.
    #[arg(long, value_name = "CYCLES", default_value_t = CYCLES_DEFAULT)]
    pub cycles: u128,
}

/// Rules that are relaxed.
#[derive(Clone, Debug, Default, Args)]
pub struct RulesArgs {
    /// instructions=unlimited|NUMBER, stable=grows|fixed, stable32=traps|low|fresh|separate. The first of
    /// each is the default.
    #[arg(long, value_name = "RULE=VALUE")]
    pub rule: Vec<String>,
    /// Answer a system function where it is forbidden instead of failing: certified_data_set=0; call=0 for
    /// all that make a call.
    #[arg(long, value_name = "FUNCTION=VALUE")]
    pub answer: Vec<String>,
}

impl SurroundingsArgs {
    /// As the library wants them.
    ///
    /// # Errors
    /// When a principal is not understood.
    pub fn parse(&self) -> Result<Surroundings, CliError> {
        let controllers = self.controller.iter().map(|text| principal(text));
        Ok(Surroundings {
            caller: match &self.caller {
                Some(text) => principal(text)?,
                None => candid::Principal::anonymous(),
            },
            controllers: controllers.collect::<Result<_, _>>()?,
            time_ns: self.time,
            cycles: self.cycles,
        })
    }
}

impl RulesArgs {
    /// As the library wants them.
    ///
    /// # Errors
    /// When one is not understood.
    pub fn parse(&self) -> Result<Rules, CliError> {
        Ok(Rules::parse(&self.rule, &self.answer)?)
    }
}

/// An engine that remembers modules for this process only.
pub fn engine() -> Engine {
    Engine::new(EngineConfig::default())
}

/// Verifies the backup and opens it with its module.
///
/// # Errors
/// When it is damaged, lacks something, or the module is not the canister's.
pub fn open(
    args: &PatientArgs,
    network: &NetworkArgs,
    engine: &Engine,
    output: &Output,
) -> Result<Patient, CliError> {
    let given = Given {
        module: args.module.as_deref().map(read_file).transpose()?,
        force_module: args.force_module.clone(),
        canister: match &args.canister {
            Some(text) => Some(canister(text, network)?),
            None => None,
        },
    };
    open_with(&args.directory, given, engine, output)
}

/// As [`open`], with what is known already.
///
/// # Errors
/// As [`open`].
pub fn open_with(
    directory: &Path,
    given: Given,
    engine: &Engine,
    output: &Output,
) -> Result<Patient, CliError> {
    let lock = Shared::existing(directory)?;
    if Backup::open(&lock)?.manifest().is_some() {
        let report = verify::examine(&lock, directory, output)?;
        if !report.is_sound() {
            return Err(CliError::DamagedBackup {
                path: directory.to_path_buf(),
                findings: report.findings.len(),
            });
        }
    } else {
        output.warn("the directory has no manifest: nothing in it can be verified");
    }
    Ok(Patient::open(engine, lock, given)?)
}

/// Runs `work`, which computes for long, beside the runtime, so that the command can be interrupted.
///
/// # Errors
/// What `work` ended with.
pub async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CliError> + Send + 'static,
) -> Result<T, CliError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(CliError::Worker {
            reason: error.to_string(),
        }),
    }
}

/// Tells every few seconds how many instructions were used.
pub fn progress(what: &str, output: &Output) -> Progress {
    let (what, output) = (what.to_string(), output.clone());
    let begun = Instant::now();
    let mut told = begun;
    Box::new(move |instructions| {
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            let seconds = begun.elapsed().as_secs();
            let used = human_instructions(instructions);
            let far = match instructions > LONG_RUN_INSTRUCTIONS {
                false => "",
                true => "; if it never ends, stop it and give a limit: --rule instructions=NUMBER",
            };
            output.step(format!("{what}: {used} in {seconds} s, still running{far}"));
        }
    })
}

/// What a run left, to be written.
#[derive(Debug)]
pub struct Left<'a> {
    /// Whose state it is.
    pub patient: &'a Patient,
    /// What it did.
    pub ran: &'a offline::Ran,
    /// Stable memory to be written.
    pub stable: &'a StableMemory,
    /// Whether the heap is written, too.
    pub with_heap: bool,
}

/// Writes a new backup directory and reports it.
///
/// # Errors
/// When it exists already or cannot be written.
pub fn keep(target: &Path, left: &Left<'_>, output: &Output) -> Result<(), CliError> {
    let content = Content {
        patient: left.patient,
        state: &left.ran.state,
        stable: left.stable,
        with_heap: left.with_heap,
        effects: &left.ran.effects,
        provenance: left.ran.provenance.clone(),
        now_ns: now_ns(),
        tool_version: env!("CARGO_PKG_VERSION").into(),
    };
    let bar = output.progress("writing the result", handled_bytes(&content));
    let saved = save(target, content, &mut |bytes| bar.advance(bytes));
    bar.finish();
    saved?;
    let lock = Shared::existing(target)?;
    let backup = Backup::open(&lock)?;
    let root = |memory| {
        let entry = backup
            .manifest()
            .and_then(|manifest| manifest.memory(memory));
        entry.map(|entry| entry.root.clone())
    };
    output.say(&Event::Offline(OfflineEvent::Saved {
        directory: target.display().to_string(),
        stable_root: root(Memory::Stable),
        heap_root: root(Memory::Heap),
        loadable_as_snapshot: backup.manifest().is_some_and(|m| m.loadable_as_snapshot),
    }));
    Ok(())
}

/// Reports what a run did.
pub fn tell(patient: &Patient, ran: &offline::Ran, stable: &StableMemory, output: &Output) {
    for line in &ran.logs {
        output.detail(format!("log: {line}"));
    }
    let calls = ran.effects.calls.len();
    if calls > 0 {
        output.warn(format!(
            "{calls} calls to other canisters were made and lead nowhere"
        ));
    }
    output.say(&Event::Offline(OfflineEvent::Ran {
        entry: ran.provenance.entry.clone(),
        instructions: ran.provenance.instructions,
        stable_bytes: [patient.state.stable.size_bytes(), stable.size_bytes()],
        heap_bytes: [patient.state.heap.size_bytes(), ran.state.heap.size_bytes()],
        rules_used: ran.provenance.rules_used.clone(),
    }));
}

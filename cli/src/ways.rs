//! What can be done for a canister whose hook fails, found out over its backup, before anything on chain is
//! touched: rules under which the hook ends, living on without it, reading without it, or nothing.
//!
//! | in this order | what it takes |
//! |---|---|
//! | the hook ends off chain | rules and answers that the user chooses |
//! | the canister lives on without the hook | a patch of the exact deployed bytes |
//! | its own methods tell what it holds | queries |
//! | impossible | then the reason is given |

use crate::changeover::{Changeover, needs_more};
use crate::error::{CliError, EXIT_CHOICE, EXIT_NO_WAY};
use crate::offline_patient::progress;
use crate::output::{Event, Output};
use crate::report::OfflineEvent;
use engine::{Engine, Method, MethodKind};
use offline::prognosis::{Prognosis, Question, prognosis};
use offline::{OfflineError, Patient, Ran};
use serde::Serialize;
use std::fmt;
use std::path::Path;
use surgery::patch::{Plan, patch};

/// Queries that are listed by name on a terminal; JSON has all of them.
const QUERIES_SHOWN_MAX: usize = 12;

/// Methods of compilers and kits begin so: `__get_candid_interface_tmp_hack`, `__motoko_stable_var_info`.
const ADDED_PREFIX: &str = "__";

/// What can be done.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The canister.
    pub canister: String,
    /// The backup that it was found out over.
    pub directory: String,
    /// Why the hook fails with the rules that were given; null if it does not.
    pub trouble: Option<String>,
    /// Rules under which it ends.
    pub ways: Vec<WayReport>,
    /// Where it fails and nothing lifts that.
    pub dead_ends: Vec<DeadEndReport>,
    /// Whether the canister can live on without the hook, and how, or why not.
    pub lives_on: LivesOn,
    /// Methods that may be asked over the backup.
    pub queries: Vec<String>,
    /// The whole of it in a sentence.
    pub verdict: String,
}

/// Rules under which the hook ends.
#[derive(Clone, Debug, Serialize)]
pub struct WayReport {
    /// Options to add.
    pub options: Vec<String>,
    /// What would not have been possible on chain.
    pub not_as_on_chain: Vec<String>,
    /// What the repaired module makes of what the hook leaves, if there is one.
    pub taken_over: Option<String>,
}

/// Where the hook fails for good.
#[derive(Clone, Debug, Serialize)]
pub struct DeadEndReport {
    /// Options that had been added by then.
    pub options: Vec<String>,
    /// Why.
    pub trouble: String,
}

/// Living on without the hook.
#[derive(Clone, Debug, Serialize)]
pub struct LivesOn {
    /// Whether it can.
    pub possible: bool,
    /// The command, or why it cannot.
    pub how: String,
}

/// Finds out what can be done. `judge` is asked about what the hook leaves in each way.
///
/// # Errors
/// When the module has no hook, or `judge` fails.
pub fn examine(
    (engine, patient): (&Engine, &Patient),
    question: &Question,
    directory: &Path,
    mut judge: impl FnMut(&Ran) -> Result<Option<String>, OfflineError>,
    output: &Output,
) -> Result<Report, CliError> {
    let mut trying = |options: &[String]| {
        let with = match options {
            [] => "nothing added".to_string(),
            options => options.join(" "),
        };
        output.step(format!("try canister_pre_upgrade off chain with {with}"));
        Some(progress("canister_pre_upgrade", output))
    };
    let found = prognosis(engine, patient, question, &mut trying, &mut judge)?;
    let lives_on = lives_on(patient);
    let queries = queries(patient);
    Ok(Report {
        canister: patient.canister.to_text(),
        directory: directory.display().to_string(),
        trouble: found.trouble.as_ref().map(ToString::to_string),
        verdict: verdict(&found, &lives_on, &queries),
        ways: found
            .ways
            .into_iter()
            .map(|way| WayReport {
                options: way.options,
                not_as_on_chain: way.not_as_on_chain,
                taken_over: way.judged,
            })
            .collect(),
        dead_ends: found
            .dead_ends
            .into_iter()
            .map(|end| DeadEndReport {
                options: end.options,
                trouble: end.trouble.to_string(),
            })
            .collect(),
        lives_on,
        queries,
    })
}

/// Whether the module can be patched and put over its own heap.
fn lives_on(patient: &Patient) -> LivesOn {
    let wasm = patient.state.module.wasm_bytes();
    let canister = patient.canister;
    let hotfix = format!("ic-rescue hotfix {canister}");
    let cannot = |error: surgery::SurgeryError| LivesOn {
        possible: false,
        how: format!("its module cannot be patched: {error}"),
    };
    if let Err(error) = patch(wasm, &Plan::BOTH_HOOKS) {
        return cannot(error);
    }
    match needs_more(wasm, &patient.metadata) {
        Err(error) => cannot(error),
        Ok(None) if !Changeover::timer_is_set(&patient.metadata) => LivesOn {
            possible: true,
            how: hotfix,
        },
        Ok(_) => LivesOn {
            possible: true,
            how: format!("{hotfix} --via-snapshot"),
        },
    }
}

/// The canister's own queries; not those that compilers and kits add, which tell nothing of its state.
fn queries(patient: &Patient) -> Vec<String> {
    let methods = patient.state.module.methods().iter();
    let query = |method: &Method| match method {
        Method::Public(MethodKind::Query, name) if !name.starts_with(ADDED_PREFIX) => {
            Some(name.clone())
        }
        _ => None,
    };
    methods.filter_map(query).collect()
}

fn verdict(found: &Prognosis, lives_on: &LivesOn, queries: &[String]) -> String {
    let as_it_is = found.ways.iter().find(|way| way.options.is_empty());
    match as_it_is {
        Some(way) if way.not_as_on_chain.is_empty() => {
            return "pre_upgrade works, on chain as well: it is not what ends an upgrade"
                .to_string();
        }
        Some(_) => {
            return "pre_upgrade fails on chain and ends off chain: what it leaves can be brought home \
                    (`ic-rescue heal`)"
                .to_string();
        }
        None => {}
    }
    if !found.ways.is_empty() {
        return "pre_upgrade ends off chain with a rule relaxed: choose one of those above, and run the same \
                command again with it"
            .to_string();
    }
    let no_way = "no rule lets pre_upgrade end: what it would have saved cannot be brought home";
    let rest = match (lives_on.possible, queries.is_empty()) {
        (true, false) => {
            "the canister can live on without the hook, and its own methods tell what it holds: take the \
             records out with them, and put them into the repaired module with its methods"
        }
        (true, true) => {
            "the canister can live on without the hook; its state cannot be carried into other code, as no \
             query of its own tells it"
        }
        (false, false) => {
            "the canister cannot live on either, but its own methods tell over the backup what it holds: put \
             that into the repaired module with its methods"
        }
        (false, true) => {
            "the canister cannot live on either, and no query of its own tells what it holds: it cannot be \
             healed; the backup holds its memory byte by byte"
        }
    };
    format!("{no_way}; {rest}")
}

impl Report {
    /// 0 if the hook ends as it is, otherwise [`EXIT_CHOICE`] or [`EXIT_NO_WAY`].
    pub fn exit_code(&self) -> u8 {
        if self.ways.iter().any(|way| way.options.is_empty()) {
            0
        } else if self.ways.is_empty() {
            EXIT_NO_WAY
        } else {
            EXIT_CHOICE
        }
    }

    /// Tells it, and makes the failure that it explains an error with a verdict.
    pub fn into_error(self, error: OfflineError, output: &Output) -> CliError {
        let (verdict, code) = (self.verdict.clone(), self.exit_code());
        output.say(&Event::Offline(OfflineEvent::Prognosis(Box::new(self))));
        CliError::HookFails {
            error: Box::new(error),
            verdict,
            code,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.trouble {
            Some(trouble) => write!(
                f,
                "pre_upgrade of {} fails off chain, too: it {trouble}",
                self.canister
            )?,
            None => write!(f, "pre_upgrade of {} ends off chain", self.canister)?,
        }
        for way in &self.ways {
            if way.options.is_empty() {
                write!(f, "\n  it ends as it is")?;
            } else {
                write!(f, "\n  it ends with {}", way.options.join(" "))?;
            }
            for words in &way.not_as_on_chain {
                write!(f, "\n    not as on chain: {words}")?;
            }
            if let Some(words) = &way.taken_over {
                write!(f, "\n    the repaired module: {words}")?;
            }
        }
        for end in self.dead_ends.iter().filter(|end| !end.options.is_empty()) {
            write!(f, "\n  with {} it {}", end.options.join(" "), end.trouble)?;
        }
        if self.lives_on.possible {
            write!(f, "\n  living on without the hook: {}", self.lives_on.how)?;
        } else {
            write!(
                f,
                "\n  it cannot live on without the hook: {}",
                self.lives_on.how
            )?;
        }
        match &self.queries[..] {
            [] => write!(f, "\n  reading without the hook: it has no query")?,
            queries => {
                let shown = &queries[..queries.len().min(QUERIES_SHOWN_MAX)];
                write!(
                    f,
                    "\n  reading without the hook: ic-rescue call {} METHOD; its queries: {}",
                    self.directory,
                    shown.join(", ")
                )?;
                if shown.len() < queries.len() {
                    write!(f, " and {} more", queries.len() - shown.len())?;
                }
            }
        }
        write!(f, "\n{}", self.verdict)
    }
}

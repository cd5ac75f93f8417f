//! What the fixed module makes of what the hook left, tried under the rules of the chain.

use crate::commands::{read_file, rehearse};
use crate::error::CliError;
use crate::offline_patient::{engine, open_with, progress};
use crate::output::Output;
use engine::{Engine, HeapHandling};
use offline::patient::Given;
use offline::rehearse::{Check, Compared, Plan, answer};
use offline::{OfflineError, Patient, Ran, Surroundings};
use std::path::PathBuf;

/// An installation that is rehearsed.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The fixed module.
    pub fixed: Vec<u8>,
    /// The argument for `post_upgrade`.
    pub argument: Vec<u8>,
    /// The checks.
    pub checks: Vec<Check>,
    /// What the code sees of the world.
    pub surroundings: Surroundings,
    /// The module that the canister runs; none for the backup's own.
    pub module: Option<PathBuf>,
}

impl Installation {
    fn plan(&self, engine: &Engine) -> Result<Plan, OfflineError> {
        Ok(Plan {
            new: engine.load_module(&self.fixed)?,
            argument: self.argument.clone(),
            heap: HeapHandling::Replace,
            skip_pre_upgrade: true,
            checks: self.checks.clone(),
            surroundings: self.surroundings.clone(),
            interface: None,
        })
    }

    /// Rehearses it over what the hook left; none when it would not pass, or a check would answer otherwise.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn rehearse(
        &self,
        (before, after): (&std::path::Path, &std::path::Path),
        output: &Output,
    ) -> Result<Option<Vec<Compared>>, CliError> {
        let engine = engine();
        let plan = self.plan(&engine)?;
        let given = || -> Result<Given, CliError> {
            Ok(Given {
                module: self.module.as_deref().map(read_file).transpose()?,
                ..Given::default()
            })
        };
        let healthy = open_with(before, given()?, &engine, output)?;
        let saved = open_with(after, given()?, &engine, output)?;
        let mut watch = |stage: &str| Some(progress(stage, output));
        let mut rehearsal = offline::rehearse::rehearse(&engine, &saved, &plan, &mut watch)?;
        for compared in &mut rehearsal.checks {
            // A hook may take apart what it saves: what counts is what was answered before it ran.
            compared.before = answer(&engine, &healthy, &healthy.state, &compared.check, &plan);
        }
        rehearse::tell(&rehearsal, output);
        Ok(rehearsal.passes().then_some(rehearsal.checks))
    }

    /// What the fixed module would make of what a hook left in one of several ways.
    ///
    /// # Errors
    /// When the fixed module is not usable.
    pub fn judge(
        &self,
        engine: &Engine,
        patient: &Patient,
        ran: &Ran,
    ) -> Result<Option<String>, OfflineError> {
        rehearse::taken_over(engine, patient, ran, &self.plan(engine)?).map(Some)
    }
}

//! The engine: loads modules and executes messages.

use crate::entry::Entry;
use crate::env::{Env, Limits};
use crate::error::ModuleError;
use crate::module::Module;
use crate::outcome::Outcome;
use crate::state::ExecutionState;
use std::path::PathBuf;
use std::sync::Arc;

/// How an engine is set up.
#[derive(Clone, Debug, Default)]
pub struct EngineConfig {
    /// Folder for compiled code, kept between processes; `None` = memory only.
    pub cache_dir: Option<PathBuf>,
}

/// Loads modules and executes messages. Cloning is cheap and shares the module cache.
#[derive(Clone, Debug)]
pub struct Engine;

impl Engine {
    /// Starts an engine.
    pub fn new(_config: EngineConfig) -> Self {
        Self
    }

    /// Validates, rewrites and compiles a module, gzip-compressed or not; cached by hash.
    pub fn load_module(&self, _bytes: &[u8]) -> Result<Arc<Module>, ModuleError> {
        todo!()
    }

    /// Executes one message over a state and commits nothing.
    pub fn execute(
        &self,
        _state: &ExecutionState,
        _entry: &Entry,
        _env: &Env,
        _limits: &Limits,
    ) -> Outcome {
        todo!()
    }
}

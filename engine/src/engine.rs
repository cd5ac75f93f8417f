//! The engine: loads modules and executes messages.

use crate::compile::Compiler;
use crate::entry::Entry;
use crate::env::{Env, Limits};
use crate::error::ModuleError;
use crate::execute::execute;
use crate::image::raise_open_files_limit;
use crate::module::Module;
use crate::outcome::Outcome;
use crate::relaxed::{Relaxed, RulesUsed};
use crate::state::ExecutionState;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Loaded modules an engine remembers.
const CACHED_MODULES_MAX: usize = 64;

/// Engines of this process by cache folder: they have no state of their own that shows, so that
/// equal ones are one, and a module is compiled once.
static ENGINES: Mutex<Vec<(Option<PathBuf>, Engine)>> = Mutex::new(Vec::new());

/// How an engine is set up.
#[derive(Clone, Debug, Default)]
pub struct EngineConfig {
    /// Folder for compiled code, kept between processes; `None` = memory only. Code in it is
    /// trusted: whoever can write there can run code as the user of this process.
    pub cache_dir: Option<PathBuf>,
}

/// Loads modules and executes messages. Cloning is cheap and shares the module cache.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    compiler: Compiler,
    /// Loaded modules, last used last.
    modules: Mutex<VecDeque<Arc<Module>>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine: the one of this process with this configuration, made when there is none.
    pub fn new(config: EngineConfig) -> Self {
        let mut engines = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, engine)) = engines.iter().find(|(dir, _)| *dir == config.cache_dir) {
            return engine.clone();
        }
        raise_open_files_limit();
        let engine = Self {
            inner: Arc::new(Inner {
                compiler: Compiler::new(config.cache_dir.clone()),
                modules: Mutex::new(VecDeque::new()),
            }),
        };
        engines.push((config.cache_dir, engine.clone()));
        engine
    }

    /// Validates, rewrites and compiles a module, gzip-compressed or not; cached by hash.
    pub fn load_module(&self, bytes: &[u8]) -> Result<Arc<Module>, ModuleError> {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        if let Some(module) = self.cached(&hash) {
            return Ok(module);
        }
        // Not under the lock: compiling takes long, and a module compiled twice does no harm.
        let module = Module::load(&self.inner.compiler, bytes, hash)?;
        let mut modules = self.modules();
        modules.push_back(module.clone());
        if modules.len() > CACHED_MODULES_MAX {
            modules.pop_front();
        }
        Ok(module)
    }

    /// Executes one message over a state and commits nothing.
    pub fn execute(
        &self,
        state: &ExecutionState,
        entry: &Entry,
        env: &Env,
        limits: &Limits,
    ) -> Outcome {
        execute(&self.inner.compiler, state, entry, env, limits, None).0
    }

    /// Executes one message off chain, with relaxed rules, and commits nothing. Also tells which
    /// of the rules made a difference.
    pub fn execute_relaxed(
        &self,
        state: &ExecutionState,
        entry: &Entry,
        env: &Env,
        limits: &Limits,
        rules: Relaxed,
    ) -> (Outcome, RulesUsed) {
        execute(&self.inner.compiler, state, entry, env, limits, Some(rules))
    }

    fn modules(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Module>>> {
        self.inner
            .modules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn cached(&self, hash: &[u8; 32]) -> Option<Arc<Module>> {
        let mut modules = self.modules();
        let position = modules.iter().position(|module| module.hash() == *hash)?;
        let module = modules.remove(position)?;
        modules.push_back(module.clone());
        Some(module)
    }
}

//! A canister to run messages on, for tests.

#![allow(clippy::unwrap_used, dead_code)]

use candid::Principal;
use engine::{
    Effects, Engine, EngineConfig, Entry, Env, ExecutionError, ExecutionState, Limits, Module,
    Outcome, Response,
};
use std::sync::{Arc, OnceLock};

/// The engine all tests of one binary share.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(EngineConfig::default()))
}

/// Assembles text and loads it.
pub fn module(wat: &str) -> Arc<Module> {
    engine().load_module(&wat::parse_str(wat).unwrap()).unwrap()
}

/// The text a module is refused with.
pub fn refusal(bytes: &[u8]) -> (&'static str, String) {
    let error = engine().load_module(bytes).unwrap_err();
    (error.code(), error.to_string())
}

/// A canister with a state that messages change.
pub struct Canister {
    pub state: ExecutionState,
    pub env: Env,
}

impl Canister {
    /// Installs a module; runs its start function and `canister_init`.
    pub fn install(wat: &str) -> Self {
        let mut canister = Self::with_module(module(wat));
        let start = canister.run(Entry::Start, Limits::install(Limits::INSTALL_INSTRUCTIONS));
        start.result.unwrap();
        let init = Entry::Init { arg: Vec::new() };
        let init = canister.run(init, Limits::install(Limits::INSTALL_INSTRUCTIONS));
        init.result.unwrap();
        canister
    }

    /// A canister no function of which has run.
    pub fn with_module(module: Arc<Module>) -> Self {
        let mut env = Env::new(Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 7, 1, 1]));
        env.time_ns = 1_700_000_000_000_000_000;
        env.cycle_balance = 1_000_000_000_000_000;
        Self {
            state: ExecutionState::fresh(module),
            env,
        }
    }

    /// Runs a message and keeps its state.
    pub fn run(&mut self, entry: Entry, limits: Limits) -> Outcome {
        let outcome = engine().execute(&self.state, &entry, &self.env, &limits);
        self.state = outcome.state.clone();
        outcome
    }

    pub fn update(&mut self, method: &str, arg: &[u8]) -> Result<Effects, ExecutionError> {
        self.env.replicated = true;
        let entry = Entry::Update {
            method: method.to_string(),
            arg: arg.to_vec(),
        };
        self.run(entry, Limits::update()).result
    }

    pub fn query(&mut self, method: &str, arg: &[u8]) -> Result<Effects, ExecutionError> {
        self.env.replicated = false;
        let entry = Entry::Query {
            method: method.to_string(),
            arg: arg.to_vec(),
        };
        self.run(entry, Limits::query()).result
    }
}

/// The bytes of a reply.
pub fn reply(result: Result<Effects, ExecutionError>) -> Vec<u8> {
    match result.unwrap().response {
        Some(Response::Reply(data)) => data,
        other => panic!("no reply but {other:?}"),
    }
}

//! One canister under the engine: a built module of the pair over memories that a test chooses.

use candid::Principal;
use engine::{
    Engine, EngineConfig, Entry, Env, ExecutionState, Heap, HeapHandling, Limits, Response,
    StableMemory,
};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use wire::limits::PAGE_LEN_BYTES;

/// All modules that read; the uploader reads with the downloader's code.
pub const READERS: [&str; 4] = ["downloader", "uploader", "downloader64", "uploader64"];

/// What a message came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The reply, or the text of the error.
    pub result: Result<Vec<u8>, String>,
    /// What it cost.
    pub instructions: u64,
}

impl Answer {
    /// The reply.
    #[track_caller]
    pub fn reply(self) -> Vec<u8> {
        self.result.unwrap_or_else(|text| panic!("refused: {text}"))
    }

    /// Asserts that the message was refused with `text`.
    #[track_caller]
    pub fn refused(&self, text: &str) {
        match &self.result {
            Err(error) => assert!(error.contains(text), "refused with: {error}"),
            Ok(reply) => panic!("replied {} bytes", reply.len()),
        }
    }
}

/// A canister with a module of the pair.
pub struct Canister {
    /// Module and memories.
    pub state: ExecutionState,
    /// Who calls, and what else a message can see.
    pub env: Env,
}

/// The controller of every canister here.
pub fn controller() -> Principal {
    Principal::self_authenticating([7; 32])
}

/// The engine that all tests share.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(EngineConfig::default()))
}

/// Where the built modules are.
pub fn module_folder() -> PathBuf {
    std::env::var_os("IC_RESCUE_WASM_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/wasm"),
        PathBuf::from,
    )
}

/// The bytes of a built module.
pub fn module_bytes(name: &str) -> Vec<u8> {
    let path = module_folder().join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask wasm` first", path.display()))
}

impl Canister {
    /// A module put over kept memories.
    pub fn keeping(name: &str, heap: Heap, stable: StableMemory) -> Self {
        let module = engine().load_module(&module_bytes(name)).unwrap();
        let mut old = ExecutionState::fresh(module.clone());
        old.heap = heap;
        old.stable = stable;
        let mut env = Env::new(Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 1]));
        env.controllers = vec![controller()];
        env.caller = controller();
        Self {
            state: old.with_module(module, HeapHandling::Keep),
            env,
        }
    }

    /// A module put over memories of given bytes.
    pub fn holding(name: &str, heap: &[u8], stable: &[u8]) -> Self {
        let mut heap_value = Heap::zeroed(heap.len() as u64 / PAGE_LEN_BYTES).unwrap();
        heap_value.write(0, heap).unwrap();
        let mut stable_value = StableMemory::zeroed(stable.len() as u64 / PAGE_LEN_BYTES).unwrap();
        stable_value.write(0, stable).unwrap();
        Self::keeping(name, heap_value, stable_value)
    }

    /// A module freshly installed.
    pub fn fresh(name: &str) -> Self {
        Self::holding(name, &[], &[])
    }

    /// The same canister, called by somebody else.
    pub fn called_by(mut self, caller: Principal) -> Self {
        self.env.caller = caller;
        self
    }

    /// A plain query.
    pub fn query(&self, method: &str, arg: &[u8]) -> Answer {
        self.run(false, method, arg)
    }

    /// A query method called through consensus.
    pub fn replicated_query(&self, method: &str, arg: &[u8]) -> Answer {
        self.run(true, method, arg)
    }

    fn run(&self, replicated: bool, method: &str, arg: &[u8]) -> Answer {
        let mut env = self.env.clone();
        env.replicated = replicated;
        let entry = Entry::Query {
            method: method.to_string(),
            arg: arg.to_vec(),
        };
        let limits = if replicated {
            Limits::replicated_query()
        } else {
            Limits::query()
        };
        let outcome = engine().execute(&self.state, &entry, &env, &limits);
        answer(outcome.result, outcome.instructions_used)
    }
}

/// The answer in an outcome.
pub fn answer(
    result: Result<engine::Effects, engine::ExecutionError>,
    instructions: u64,
) -> Answer {
    let result = match result {
        Ok(effects) => match effects.response {
            Some(Response::Reply(bytes)) => Ok(bytes),
            other => Err(format!("answered {other:?}")),
        },
        Err(error) => Err(error.to_string()),
    };
    Answer {
        result,
        instructions,
    }
}

/// Bytes without a pattern, the same for the same seed.
pub fn noise(len_bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len_bytes + 8);
    while bytes.len() < len_bytes {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len_bytes);
    bytes
}

/// The data in a reply `(blob)`, decoded by the candid crate.
#[track_caller]
pub fn blob(reply: &[u8]) -> Vec<u8> {
    candid::decode_one(reply).unwrap()
}

/// The number in a reply `(nat64)`, decoded by the candid crate.
#[track_caller]
pub fn nat64(reply: &[u8]) -> u64 {
    candid::decode_one(reply).unwrap()
}

/// An argument `()`.
pub fn unit() -> Vec<u8> {
    candid::encode_args(()).unwrap()
}

/// An argument `(nat64, nat64)`.
pub fn range(offset: u64, length: u64) -> Vec<u8> {
    candid::encode_args((offset, length)).unwrap()
}

/// An argument `(nat64, nat64, nat64)`.
pub fn chunks(offset: u64, chunk_len_bytes: u64, count: u64) -> Vec<u8> {
    candid::encode_args((offset, chunk_len_bytes, count)).unwrap()
}

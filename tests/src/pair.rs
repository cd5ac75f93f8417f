//! The pair in a patient's slot: swapped in over whatever is there, and asked as the operator asks it.

use crate::{World, wasms};
use candid::Principal;
use candid::utils::ArgumentEncoder;

use ic_management_canister_types::WasmMemoryPersistence::Keep;
use pocket_ic::{CanisterSettings, RejectResponse};
use serde_bytes::{ByteBuf, Bytes};
use sha2::{Digest, Sha256};
use wire::limits::{CHUNK_LEN_BYTES, PAGE_LEN_BYTES, READ_LEN_MAX_BYTES};
use wire::methods::{HEAP_READ, HEAP_SHA256, HEAP_SIZE};

/// A canister of the operator, whatever module it holds.
#[derive(Clone, Copy)]
pub struct Slot<'a> {
    world: &'a World,
    /// Its id.
    pub canister: Principal,
}

impl<'a> Slot<'a> {
    /// A new canister with `module`, whose heap may grow as far as its addresses reach.
    pub fn install(world: &'a World, module: Vec<u8>) -> Self {
        let subnet = world.pic.topology().get_app_subnets()[0];
        let settings = CanisterSettings {
            wasm_memory_limit: Some(0_u8.into()),
            ..CanisterSettings::default()
        };
        let operator = Some(world.operator.principal);
        let canister = world
            .pic
            .create_canister_on_subnet(operator, Some(settings), subnet);
        world
            .pic
            .install_canister(canister, module, vec![], operator);
        Self { world, canister }
    }

    /// A canister that holds a module of the pair already.
    pub fn of(world: &'a World, canister: Principal) -> Self {
        Self { world, canister }
    }

    /// Puts a module of the pair over the heap that is there.
    pub fn swap_in(self, name: &str) -> Result<(), RejectResponse> {
        let module = wasms::load(name);
        self.world.upgrade_with(self.canister, module, true, Keep)
    }

    /// An update with raw bytes.
    pub fn update(self, method: &str, arg: Vec<u8>) -> Result<Vec<u8>, RejectResponse> {
        let operator = self.world.operator.principal;
        self.world
            .pic
            .update_call(self.canister, operator, method, arg)
    }

    /// A plain query with raw bytes.
    pub fn query(self, method: &str, arg: Vec<u8>) -> Result<Vec<u8>, RejectResponse> {
        let operator = self.world.operator.principal;
        self.world
            .pic
            .query_call(self.canister, operator, method, arg)
    }

    /// Size of the heap.
    pub fn heap_size(self) -> u64 {
        let reply = self.query(HEAP_SIZE, encode(())).unwrap();
        candid::decode_one(&reply).unwrap()
    }

    /// A range of the heap by a plain query.
    pub fn heap_read(self, offset: u64, len_bytes: u64) -> Vec<u8> {
        let reply = self.query(HEAP_READ, encode((offset, len_bytes))).unwrap();
        blob(&reply)
    }

    /// The whole heap by plain queries.
    pub fn heap(self) -> Vec<u8> {
        let size = self.heap_size();
        let mut heap = Vec::new();
        while (heap.len() as u64) < size {
            let offset = heap.len() as u64;
            heap.extend(self.heap_read(offset, (size - offset).min(READ_LEN_MAX_BYTES)));
        }
        heap
    }

    /// Digests of the first chunks of the heap by a replicated call.
    pub fn heap_digests(self, count: u64) -> Vec<u8> {
        let arg = encode((0_u64, CHUNK_LEN_BYTES, count));
        blob(&self.update(HEAP_SHA256, arg).unwrap())
    }

    /// Digests of consecutive pages of the heap by a plain query.
    pub fn heap_page_digests(self, page: u64, count: u64) -> Vec<u8> {
        let arg = encode((page * PAGE_LEN_BYTES, PAGE_LEN_BYTES, count));
        blob(&self.query(HEAP_SHA256, arg).unwrap())
    }

    /// A write of any kind.
    pub fn write(self, method: &str, offset: u64, data: &[u8]) {
        let reply = self.update(method, encode((offset, Bytes::new(data))));
        let () = candid::decode_args(&reply.unwrap()).unwrap();
    }
}

/// Digests of all chunks of so many bytes of a memory, concatenated.
pub fn digests(memory: &[u8], chunk_len_bytes: u64) -> Vec<u8> {
    memory
        .chunks(chunk_len_bytes as usize)
        .flat_map(|chunk| Sha256::digest(chunk).to_vec())
        .collect()
}

fn encode(args: impl ArgumentEncoder) -> Vec<u8> {
    candid::encode_args(args).unwrap()
}

fn blob(reply: &[u8]) -> Vec<u8> {
    candid::decode_one::<ByteBuf>(reply).unwrap().into_vec()
}

//! What the uploader's tests need of a canister besides queries.

use crate::harness::{Answer, Canister, answer, engine};
use engine::{Entry, Limits};

/// All modules that write.
pub const WRITERS: [&str; 2] = ["uploader", "uploader64"];

impl Canister {
    /// Bytes that its memories may still grow by, together.
    pub fn with_room_bytes(mut self, room_bytes: u64) -> Self {
        self.env.subnet_available_memory_bytes = room_bytes;
        self
    }

    /// An update; what it changed stays if it was accepted.
    pub fn update(&mut self, method: &str, arg: &[u8]) -> Answer {
        let entry = Entry::Update {
            method: method.to_string(),
            arg: arg.to_vec(),
        };
        let outcome = engine().execute(&self.state, &entry, &self.env, &Limits::update());
        self.state = outcome.state;
        answer(outcome.result, outcome.instructions_used)
    }

    /// All bytes of the heap.
    pub fn heap(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.state.heap.size_bytes() as usize];
        self.state.heap.read(0, &mut bytes).unwrap();
        bytes
    }

    /// All bytes of stable memory.
    pub fn stable(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.state.stable.size_bytes() as usize];
        self.state.stable.read(0, &mut bytes).unwrap();
        bytes
    }

    /// Size of the heap in pages.
    pub fn heap_pages(&self) -> u64 {
        self.state.heap.size_pages()
    }

    /// Some bytes of the heap.
    pub fn heap_part(&self, offset: u64, len_bytes: usize) -> Vec<u8> {
        let mut bytes = vec![0; len_bytes];
        self.state.heap.read(offset, &mut bytes).unwrap();
        bytes
    }
}

/// An argument `(nat64, blob)`.
pub fn write(offset: u64, data: &[u8]) -> Vec<u8> {
    candid::encode_args((offset, data)).unwrap()
}

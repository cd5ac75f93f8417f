//! What the patient holds: a map, a vector, closures; and how it is written for an upgrade.
//!
//! ```text
//! 0   magic "HOARD\0\0\1"     8  where the saved state begins     16  its length
//! 24  … blocks of values (place = blocks) …      then the saved state, candid
//! ```

use super::Notes;
use crate::hooks::Hook;
use candid::CandidType;
use serde::{Deserialize, Serialize};

pub const MAGIC: [u8; 8] = *b"HOARD\0\0\x01";
pub const HEADER_LEN_BYTES: u64 = 24;
const PAGE_LEN_BYTES: u64 = 65_536;

#[derive(CandidType, Serialize, Deserialize, Clone, Copy, Default, PartialEq)]
pub enum Place {
    #[default]
    #[serde(rename = "heap")]
    Heap,
    #[serde(rename = "blocks")]
    Blocks,
}

#[derive(CandidType, Serialize, Deserialize, Clone, Copy)]
pub enum Rule {
    #[serde(rename = "add")]
    Add(u64),
    #[serde(rename = "multiply")]
    Multiply(u64),
    #[serde(rename = "exor")]
    Exor(u64),
}

impl Rule {
    fn closure(self) -> Box<dyn Fn(u64) -> u64> {
        match self {
            Rule::Add(by) => Box::new(move |number| number.wrapping_add(by)),
            Rule::Multiply(by) => Box::new(move |number| number.wrapping_mul(by)),
            Rule::Exor(by) => Box::new(move |number| number ^ by),
        }
    }
}

#[derive(CandidType, Serialize, Deserialize)]
pub struct Note {
    pub key: String,
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
}

#[derive(CandidType, Serialize, Deserialize, Clone)]
pub enum Value {
    Here(#[serde(with = "serde_bytes")] Vec<u8>),
    Block { offset: u64, len_bytes: u64 },
}

impl Value {
    pub fn read(&self) -> Vec<u8> {
        match self {
            Value::Here(bytes) => bytes.clone(),
            Value::Block { offset, len_bytes } => {
                let mut bytes = vec![0; *len_bytes as usize];
                ic_cdk::stable::stable_read(*offset, &mut bytes);
                bytes
            }
        }
    }
}

#[derive(Default)]
pub struct State {
    pub hook: Hook,
    pub place: Place,
    pub notes: Notes,
    pub numbers: Vec<u64>,
    pub rules: Vec<Rule>,
    pub closures: Vec<Box<dyn Fn(u64) -> u64>>,
    /// End of the blocks in stable memory.
    pub blocks_end: u64,
}

/// What an upgrade carries over.
#[derive(CandidType, Serialize, Deserialize)]
pub struct Saved {
    pub place: Place,
    pub notes: Notes,
    pub numbers: Vec<u64>,
    pub rules: Vec<Rule>,
    pub blocks_end: u64,
}

impl State {
    pub fn put(&mut self, note: Note) {
        let value = match self.place {
            Place::Heap => Value::Here(note.value),
            Place::Blocks => {
                let offset = self.blocks_end.max(HEADER_LEN_BYTES);
                let len_bytes = note.value.len() as u64;
                grow_to(offset + len_bytes);
                ic_cdk::stable::stable_write(offset, &note.value);
                self.blocks_end = offset + len_bytes;
                Value::Block { offset, len_bytes }
            }
        };
        self.notes.insert(note.key, value);
    }

    pub fn add_rule(&mut self, rule: Rule) {
        self.rules.push(rule);
        self.closures.push(rule.closure());
    }

    pub fn digest(&self) -> u64 {
        let mut fold = Fnv(0xcbf2_9ce4_8422_2325);
        for (key, value) in &self.notes {
            fold.add(key.as_bytes());
            fold.add(&value.read());
        }
        for number in &self.numbers {
            fold.add(&number.to_le_bytes());
        }
        for closure in &self.closures {
            fold.add(&closure(7).to_le_bytes());
        }
        fold.0
    }

    pub fn save(&self) -> Vec<u8> {
        let saved = Saved {
            place: self.place,
            notes: self.notes.clone(),
            numbers: self.numbers.clone(),
            rules: self.rules.clone(),
            blocks_end: self.blocks_end,
        };
        candid::encode_one(saved).expect("BUG: the state is encodable")
    }

    /// Where the saved state begins.
    pub fn root(&self) -> u64 {
        self.blocks_end.max(HEADER_LEN_BYTES)
    }

    pub fn restore(saved: Saved) -> State {
        let mut state = State {
            place: saved.place,
            notes: saved.notes,
            numbers: saved.numbers,
            blocks_end: saved.blocks_end,
            ..State::default()
        };
        for rule in saved.rules {
            state.add_rule(rule);
        }
        state
    }
}

/// Makes stable memory hold so many bytes.
pub fn grow_to(len_bytes: u64) {
    let missing = len_bytes
        .div_ceil(PAGE_LEN_BYTES)
        .saturating_sub(ic_cdk::stable::stable_size());
    if missing > 0 {
        ic_cdk::stable::stable_grow(missing).expect("stable memory cannot grow that far");
    }
}

/// FNV-1a, 64 bits, with the length of each part folded in.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, part: &[u8]) {
        for byte in (part.len() as u64).to_le_bytes().iter().chain(part) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

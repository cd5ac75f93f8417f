//! The upgrade hooks: what breaks the patient, and what the fixed build does instead.

use crate::STATE;
use crate::narrow;
use crate::state::{HEADER_LEN_BYTES, MAGIC, Saved, State, grow_to};
use candid::CandidType;
use serde::{Deserialize, Serialize};

#[cfg(not(any(feature = "rebuilt", feature = "fixed")))]
pub const BUILD: &str = "first";
#[cfg(feature = "rebuilt")]
pub const BUILD: &str = "rebuilt";
#[cfg(feature = "fixed")]
pub const BUILD: &str = "fixed";

/// What the hook of the first build does.
#[derive(CandidType, Serialize, Deserialize, Clone, Copy, Default, PartialEq)]
pub enum Hook {
    /// What it should.
    #[default]
    #[serde(rename = "works")]
    Works,
    /// It stumbles over an assumption that no longer holds.
    #[serde(rename = "panics")]
    Panics,
    /// It never ends.
    #[serde(rename = "exhausts")]
    Exhausts,
    /// It works longer than an upgrade may, and ends.
    #[serde(rename = "slow")]
    Slow,
    /// It writes behind the end of stable memory.
    #[serde(rename = "not_grown")]
    NotGrown,
    /// It writes through the 32-bit interface.
    #[serde(rename = "narrow")]
    Narrow,
    /// It calls another canister, which no hook may.
    #[serde(rename = "forbidden")]
    Forbidden,
    /// It needs more heap than there is left.
    #[serde(rename = "out_of_memory")]
    OutOfMemory,
}

#[ic_cdk::pre_upgrade]
fn pre_upgrade() {
    STATE.with_borrow(|state| {
        let hook = if cfg!(feature = "fixed") {
            Hook::Works
        } else {
            state.hook
        };
        match hook {
            Hook::Works => {}
            Hook::Panics => assert!(
                state.notes.is_empty(),
                "cannot serialise {} notes: the scratch buffer is too small",
                state.notes.len()
            ),
            Hook::Exhausts => exhaust(),
            Hook::Slow => toil(),
            Hook::NotGrown => return write(state, false),
            Hook::Narrow => return write_narrow(state),
            Hook::Forbidden => {
                ic_cdk::call::Call::bounded_wait(
                    candid::Principal::management_canister(),
                    "upgrading",
                )
                .oneway()
                .expect("the observer is not told");
            }
            Hook::OutOfMemory => {
                let scratch = vec![1_u8; 1 << 30];
                std::hint::black_box(&scratch);
            }
        }
        write(state, true);
    });
}

/// Instructions of [`toil`], about: an upgrade may use 300 billion.
const TOIL_INSTRUCTIONS: u64 = 305_000_000_000;

/// Work that grew with the data and no longer fits into an upgrade's instruction limit. What is filled counts
/// by its bytes, so that it is a lot of instructions in little time.
fn toil() {
    let mut scratch = vec![0_u8; 32 << 10];
    for pass in 0..TOIL_INSTRUCTIONS / scratch.len() as u64 {
        scratch.fill(pass as u8);
        std::hint::black_box(&scratch);
    }
}

/// Work without an end.
fn exhaust() {
    let mut scratch = vec![0_u8; 1 << 20];
    let mut pass = 0_u8;
    loop {
        scratch.fill(pass);
        pass = std::hint::black_box(&scratch)[0].wrapping_add(1);
    }
}

fn header(root: u64, len_bytes: u64) -> [u8; HEADER_LEN_BYTES as usize] {
    let mut header = [0; HEADER_LEN_BYTES as usize];
    header[..8].copy_from_slice(&MAGIC);
    header[8..16].copy_from_slice(&root.to_le_bytes());
    header[16..].copy_from_slice(&len_bytes.to_le_bytes());
    header
}

fn write(state: &State, grow: bool) {
    let saved = state.save();
    let root = state.root();
    if grow {
        grow_to(root + saved.len() as u64);
    }
    ic_cdk::stable::stable_write(root, &saved);
    ic_cdk::stable::stable_write(0, &header(root, saved.len() as u64));
}

/// As canisters wrote before stable memory outgrew 4 GiB.
fn write_narrow(state: &State) {
    let saved = state.save();
    let root = state.root();
    let needed = (root + saved.len() as u64).div_ceil(65_536) as i32;
    let missing = needed - narrow::size();
    if missing > 0 {
        assert!(narrow::grow(missing) >= 0, "stable memory cannot grow");
    }
    narrow::write(root as i32, &saved);
    narrow::write(0, &header(root, saved.len() as u64));
}

#[ic_cdk::post_upgrade]
fn post_upgrade() {
    // Whatever the heap holds: an upgraded canister begins with what was saved.
    let state = saved().map_or_else(State::default, State::restore);
    STATE.with_borrow_mut(|now| *now = state);
}

fn saved() -> Option<Saved> {
    if ic_cdk::stable::stable_size() == 0 {
        return None;
    }
    let mut header = [0; HEADER_LEN_BYTES as usize];
    ic_cdk::stable::stable_read(0, &mut header);
    if header[..8] != MAGIC {
        return None;
    }
    let number =
        |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("BUG: eight bytes"));
    let (root, len_bytes) = (number(8), number(16));
    let mut saved = vec![0; len_bytes as usize];
    ic_cdk::stable::stable_read(root, &mut saved);
    Some(candid::decode_one(&saved).expect("what was saved cannot be read"))
}

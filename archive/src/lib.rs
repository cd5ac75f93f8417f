//! A backup on disk: its layout, its manifest, how it is written and how it is verified.
//!
//! A backup is a directory that dfx and icp read as a downloaded canister snapshot, plus our sidecar
//! folder `ic-rescue/` with the chunk digests that were recorded on chain. `docs/FORMAT.md` draws
//! every byte of it.
//!
//! The life of a backup has two states, and the types keep them apart:
//!
//! ```text
//! lock(dir) ─► Draft::begin ─► draft.writer(memory) ─► writer.seal() ─► Draft::seal ─► Backup
//!                  ▲                  │ kill -9                                           │
//!                  └──────────────────┘   same command again: finished chunks are kept    ▼
//!                                                                                      verify
//! ```
//!
//! Invariants:
//! - A chunk is done because its bytes on disk have the recorded digest, never because a file says so.
//! - Memory images get their final name only after every chunk of them was read back and matched.
//! - The manifest is written last; a directory without one is not a backup.
//! - This crate never opens a connection and never prints.

pub mod digests;
pub mod draft;
pub mod error;
pub mod files;
pub mod layout;
pub mod lock;
pub mod manifest;
pub mod memory;
pub mod metadata;
pub mod open;
pub mod provenance;
pub mod receive;
pub mod repair;
mod scan;
pub mod sparse;
pub mod stop_note;
pub mod sums;
pub mod verify;
pub mod write;

#[cfg(test)]
mod cut_off_tests;
#[cfg(test)]
extern crate self as archive; // what the tests share is written from outside

pub use digests::{ChunkDigests, Digest};
pub use draft::{Draft, Seal, Subject};
pub use error::ArchiveError;
pub use layout::Layout;
pub use lock::{Exclusive, Shared};
pub use manifest::{Attestation, Manifest, Route};
pub use memory::Memory;
pub use metadata::Metadata;
pub use open::Backup;
pub use provenance::Provenance;
pub use receive::Receiver;
pub use verify::{Finding, Report};
pub use write::ImageWriter;

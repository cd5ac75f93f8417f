//! Runs a canister's code over a backup: its upgrade hook without the limits that broke it, its
//! methods although it is dead, a whole upgrade in rehearsal.
//!
//! ```text
//! backup directory ─► Patient (module, heap, globals, stable memory)
//!                        ├─► run       one hook, rules relaxed  ─► save ─► a new backup directory
//!                        ├─► prognosis which rules would let a hook end that fails
//!                        ├─► call      one method, candid in and out
//!                        └─► rehearse  an upgrade, twice, under the rules of the chain
//! ```
//!
//! Memories are not loaded: the engine maps the heap's image and reads stable memory page by page,
//! so that what a run takes in memory is what it writes.
//!
//! What never happens here: the backup that is read is never written, nothing is sent anywhere,
//! nothing is printed, and no rule is relaxed that the caller did not name.

pub mod call;
pub mod error;
pub mod globals;
pub mod interface;
pub mod json;
pub mod patient;
pub mod prognosis;
pub mod rehearse;
pub mod rest;
pub mod rules;
pub mod run;
pub mod save;
pub mod surroundings;
pub mod trace;
pub mod trouble;

pub use error::OfflineError;
pub use interface::Interface;
pub use patient::Patient;
pub use prognosis::Prognosis;
pub use rules::Rules;
pub use run::{Ran, run};
pub use surroundings::Surroundings;
pub use trouble::Trouble;

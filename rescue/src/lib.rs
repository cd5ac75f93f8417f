//! The rescue canister: owns the order of a rescue's steps and the evidence that they happened.
//!
//! It is made a controller of the patient, takes a snapshot, swaps modules of the embedded pair in,
//! has the patient hash its memories by replicated execution, records the checksums, attests a restore
//! and installs the final module. It holds no state in its heap, has no `pre_upgrade`, believes no
//! answer that it cannot see in the patient's status, and repeats nothing blindly.
//!
//! [`canister`] is the surface; [`updates`] and [`queries`] have one file per endpoint; [`runner`] runs
//! a step (prepare, await, commit); [`publication`] ends every update; [`case`] is the pure state machine; [`store`] all that is kept;
//! [`ic`] the only code that calls other canisters.

pub mod answer;
pub mod canister;
pub mod case;
pub mod certification;
pub mod guard;
pub mod ic;
pub mod limits;
pub mod memory;
pub mod overview;
pub mod pages;
pub mod pair;
pub mod publication;
pub mod queries;
pub mod runner;
pub mod store;
pub mod updates;
pub mod view;

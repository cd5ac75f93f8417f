//! A case as a pure state machine.
//!
//! [`model`] is what is known, [`rules`] is the table of which step is allowed when, [`judge`] reads a
//! look at the patient, [`step`] is the only function that changes a case, [`plan`] picks the next
//! step for `advance`. Nothing here calls, stores or reads a clock.

pub mod cycles;
pub mod judge;
pub mod model;
pub mod plan;
pub mod rules;
pub mod step;

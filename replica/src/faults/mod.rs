//! Breaks requests to the HTTP interface, on request and the same way every time.
//!
//! A test sends a [`Plan`] to `POST /instances/N/faults`: a seed and a list of rules. Each request to
//! `/instances/N/api/…` is held against the rules in order; the first rule that matches and is due decides. What a
//! rule does to its n-th match follows from the seed, the rule's place and n alone, so that a failing test fails again.
//! Without a plan nothing is ever broken.

mod apply;
mod draw;
mod plan;

pub use apply::{Delivery, deliver, lie};
pub use draw::{Draw, Faults};
pub use plan::{Endpoint, Fault, Plan, PlanError, Rule, RuleState, Subject};

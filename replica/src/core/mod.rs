//! The network itself, without any network around it.
//!
//! An [`Instance`](instance::Instance) is a handful of subnets with canisters, a clock that moves only when told to, and rounds that
//! happen only when asked for. Given the same seed and the same calls it gives the same answers,
//! bit by bit: nothing here reads a clock, a socket, a random device or the environment. The HTTP
//! side (`crate::http`) drives it and owns the cryptography (see [`keys`]).

pub mod answer;
pub mod api;
pub mod callback;
pub mod canister;
pub mod chunk_store;
pub mod contexts;
pub mod cycles;
pub mod effects;
pub mod environment;
pub mod errors;
pub mod execute;
pub mod history;
pub mod ingress_filter;
pub mod instance;
pub mod keys;
pub mod limits;
pub mod log;
pub mod management;
pub mod message;
pub mod native;
mod native_surroundings;
pub mod network;
pub mod query;
pub mod queues;
pub mod round;
pub mod routing;
pub mod rules;
pub mod settings;
pub mod snapshot;
pub mod storage;
pub mod subnet;
pub mod topology;

//! A local network that speaks PocketIC's protocol and the Internet Computer's HTTP interface.
//!
//! The crate is a stand-in for the PocketIC server on machines where that binary cannot be had. `core` is the
//! network itself (subnets, canisters, scheduler, management canister): deterministic, without sockets or clocks.
//! The other modules put it on the wire: [`auth`] checks who signed a request, [`cert`] holds the keys and signs
//! what the network certifies, [`faults`] breaks replies on request, [`http`] routes requests and [`server`] is
//! the process around it. What it models, and how it answers what it does not, is listed in `README.md`.

pub mod auth;
pub mod cert;
pub mod core;
pub mod faults;
pub mod http;
pub mod server;

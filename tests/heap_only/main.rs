//! State that lives only in the heap: patients each broken in one way, from the brick to a working canister with
//! every record equal. They run on whatever server `POCKET_IC_BIN` names.

// Outside of a test function too, a panic is the report here.
#![allow(clippy::unwrap_used)]

mod grown_stable;
mod healed;
mod hotfixes;
mod interrupted;
mod motoko;
mod refusals;
mod runbook;
mod same_off_chain;
mod toolchains;

use std::ffi::OsStr;
use tests::World;
use tests::cli::Cli;
use tests::hoard::Hoard;
use tests::wasms;

/// `ic-rescue VERB PATIENT …` with the logbook in the scenario's folder.
fn ic_rescue(world: &World, verb: &str, hoard: Hoard, more: &[&dyn AsRef<OsStr>]) -> Cli {
    ic_rescue_over(world, &world.url(), verb, hoard, more)
}

/// The same over `network`.
fn ic_rescue_over(
    world: &World,
    network: &str,
    verb: &str,
    hoard: Hoard,
    more: &[&dyn AsRef<OsStr>],
) -> Cli {
    let (canister, logbook) = (hoard.canister.to_text(), logbook(world, hoard));
    let mut args: Vec<&dyn AsRef<OsStr>> = vec![&verb, &canister, &"--logbook", &logbook];
    args.extend(more);
    Cli::over(world, network, &args)
}

/// Where its changes are remembered.
fn logbook(world: &World, hoard: Hoard) -> std::path::PathBuf {
    let name = format!("{}.json", hoard.canister);
    world.folder.path().join(name)
}

/// The file of a patient's build.
fn file(name: &str) -> std::path::PathBuf {
    wasms::folder().join(format!("patients/{name}.wasm"))
}

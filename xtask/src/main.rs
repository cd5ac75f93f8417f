//! `cargo xtask`: the build system of ic-rescue, in Rust so that a machine with cargo needs nothing else.
//!
//! Verbs: `demo` (a whole rescue, narrated), `test` (every test of the workspace), `wasm` (the canister
//! modules), `transcript` and `differ` (another server against the
//! stand-in), `bench` (what the pair costs), `lint` (rustfmt and clippy). It builds and runs; it never talks to a network of its own.

use std::process::ExitCode;

mod bench;
mod bench_transfer;
#[cfg(test)]
mod built_tests;
mod cargo;
mod debian;
mod demo;
mod differ;
mod inspect;
mod lint;
mod pair;
mod test;
#[cfg(test)]
mod tidy;
mod toolchain;
mod tools;
mod transcript;
mod turns;
mod wasm;

const USAGE: &str = "\
cargo xtask <verb>

  demo            build everything, break a canister on a local network and rescue it
  test [ARGS…]    run every test of the workspace; ARGS go to `cargo test`
  turns COMMIT    kills in backup and restore, with the command line of an earlier commit taking turns
  wasm            build the canister modules into target/wasm
  transcript      what the server in POCKET_IC_BIN answers, compared with the local network
  differ [SEED [COUNT]]  random scenarios on the local network and on the server in POCKET_IC_BIN
  bench [ARGS…]   what the pair costs, in instructions and cycles
  bench --large   a sparse memory of 64 GiB through backup, verify, second backup and restore
  bench --transfer  a download beside the ways of others and beside the ceiling
  lint            rustfmt --check and clippy with -D warnings
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let verb = args.next();
    let rest: Vec<String> = args.collect();
    let outcome = match verb.as_deref() {
        Some("demo") => demo::run(),
        Some("test") => test::run(&rest),
        Some("turns") => turns::run(&rest),
        Some("wasm") => wasm::build_all().map(|modules| wasm::print(&modules)),
        Some("transcript") => transcript::run(),
        Some("differ") => differ::run(&rest),
        Some("bench") => match rest.split_first() {
            Some((flag, rest)) if flag == "--large" => bench_transfer::large(rest),
            Some((flag, rest)) if flag == "--transfer" => bench_transfer::transfer(rest),
            _ => bench::run(&rest),
        },
        Some("lint") => lint::run(),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

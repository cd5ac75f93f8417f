//! `cargo xtask differ [SEED [COUNT]]`: random scenarios on the local network and on a real server, answer by answer.
//!
//! `POCKET_IC_BIN` names the server; it has to be another one than the stand-in. `DIFFER_RECORD` names a file that
//! then holds the scenarios with the server's answers. Changes nothing else.

use crate::cargo;
use anyhow::{Result, bail};

/// Compares; fails when an answer differs.
pub fn run(args: &[String]) -> Result<()> {
    if std::env::var_os("POCKET_IC_BIN").is_none_or(|path| path.is_empty()) {
        bail!("set POCKET_IC_BIN to the server to compare the local network with");
    }
    let mut tests = cargo::host_cargo();
    tests.args(["test", "--workspace", "--test", "conformance", "--"]);
    tests.args([
        "--ignored",
        "--nocapture",
        "--test-threads=1",
        "come_out_as_on_the_server",
    ]);
    for (name, value) in ["DIFFER_SEED", "DIFFER_COUNT"].into_iter().zip(args) {
        tests.env(name, value);
    }
    cargo::run(&mut tests, "the comparison")
}

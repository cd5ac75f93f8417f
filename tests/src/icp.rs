//! The real `icp` binary as a user runs it: a home of its own, the operator's identity, telemetry off.
//!
//! `IC_RESCUE_ICP_BIN` names the binary; `cargo xtask test` installs it and sets that. Nothing is left out
//! where it is missing: the scenario fails.

use crate::World;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Name under which the operator's key is imported.
pub const OPERATOR: &str = "operator";

/// Environment and network of a project in the home folder.
const ENVIRONMENT: &str = "world";

/// `icp` with the operator's identity, pointed at the world's network.
pub struct Icp<'a> {
    world: &'a World,
    home: PathBuf,
    root_key: String,
}

/// Where the binary is.
///
/// # Panics
/// If `IC_RESCUE_ICP_BIN` is not set.
pub fn binary() -> PathBuf {
    std::env::var_os("IC_RESCUE_ICP_BIN")
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("IC_RESCUE_ICP_BIN is not set: run `cargo xtask test`"))
}

impl<'a> Icp<'a> {
    /// A fresh home below the world's folder, with the operator's key in it.
    pub fn new(world: &'a World) -> Icp<'a> {
        let home = world.folder.path().join("icp-home");
        std::fs::create_dir_all(&home).unwrap();
        let icp = Icp {
            world,
            home,
            root_key: hex::encode(world.pic.root_key().unwrap()),
        };
        icp.succeed(&[
            &"identity",
            &"import",
            &OPERATOR,
            &"--storage",
            &"plaintext",
            &"--from-pem",
            &world.operator.pem_file,
        ]);
        icp
    }

    /// The home folder, where identities lie as `icp` keeps them.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// `icp …`, ready to run.
    pub fn command(&self, args: &[&dyn AsRef<OsStr>]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(args.iter().map(|arg| arg.as_ref()))
            .current_dir(&self.home)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("DO_NOT_TRACK", "1");
        command
    }

    /// `icp …` on the world's network as the operator, ready to run.
    pub fn network_command(&self, args: &[&dyn AsRef<OsStr>]) -> Command {
        let mut command = self.command(args);
        command
            .args(["--network", &self.world.url(), "--root-key", &self.root_key])
            .args(["--identity", OPERATOR]);
        command
    }

    /// `icp …` in the environment `world` of the project in the home folder, ready to run.
    pub fn project_command(&self, identity: &str, args: &[&dyn AsRef<OsStr>]) -> Command {
        let mut command = self.command(args);
        command.args(["--environment", ENVIRONMENT, "--identity", identity]);
        command
    }

    /// Makes the home folder a project with one canister, whose module lies at `module`, on the world's network.
    pub fn write_project(&self, canister: &str, module: &Path) {
        let text = format!(
            "canisters:\n  - name: {canister}\n    build:\n      steps:\n        - type: pre-built\n          \
             path: {}\nnetworks:\n  - name: {ENVIRONMENT}\n    mode: connected\n    url: {}\n    root-key: {}\n\
             environments:\n  - name: {ENVIRONMENT}\n    network: {ENVIRONMENT}\n",
            module.display(),
            self.world.url(),
            self.root_key,
        );
        std::fs::write(self.home.join("icp.yaml"), text).unwrap();
    }

    /// Runs something that needs no network, and insists on success; returns standard output.
    pub fn succeed(&self, args: &[&dyn AsRef<OsStr>]) -> String {
        finish(self.command(args))
    }

    /// Runs something on the network as the operator, and insists on success; returns standard output.
    pub fn on_network(&self, args: &[&dyn AsRef<OsStr>]) -> String {
        finish(self.network_command(args))
    }
}

fn finish(mut command: Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", binary().display()));
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    assert!(
        status.success(),
        "{command:?} failed ({status}):\n{stdout}\n{}",
        String::from_utf8_lossy(&stderr)
    );
    stdout
}

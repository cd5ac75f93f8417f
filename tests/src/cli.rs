//! Running `ic-rescue` as a user does: the binary, arguments, exit code, two streams.

use crate::World;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary: `IC_RESCUE_BIN`, or the one beside the running test.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("IC_RESCUE_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().unwrap();
    let debug = test
        .ancestors()
        .find(|folder| folder.ends_with("debug"))
        .unwrap();
    debug.join("ic-rescue")
}

/// A binary of an earlier version, to take turns with: `IC_RESCUE_OLD_BIN`, set by `cargo xtask turns`.
pub fn earlier_binary() -> Option<PathBuf> {
    std::env::var_os("IC_RESCUE_OLD_BIN").map(PathBuf::from)
}

/// A command line under construction, with network and identity filled in.
#[derive(Debug)]
pub struct Cli {
    args: Vec<OsString>,
    folder: Option<PathBuf>,
}

impl Cli {
    /// `ic-rescue VERB …`, over `network`, as the operator.
    pub fn over(world: &World, network: &str, args: &[&dyn AsRef<OsStr>]) -> Cli {
        let mut cli = Cli {
            args: args.iter().map(|arg| arg.as_ref().to_owned()).collect(),
            folder: None,
        };
        cli.args
            .extend(["--network".into(), network.into(), "--identity".into()]);
        cli.args.push(world.operator.pem_file.clone().into());
        cli
    }

    /// `ic-rescue VERB …`, straight to the network, as the operator.
    pub fn new(world: &World, args: &[&dyn AsRef<OsStr>]) -> Cli {
        Cli::over(world, &world.url(), args)
    }

    /// `ic-rescue VERB …` that needs neither network nor identity.
    pub fn offline(args: &[&dyn AsRef<OsStr>]) -> Cli {
        Cli {
            args: args.iter().map(|arg| arg.as_ref().to_owned()).collect(),
            folder: None,
        }
    }

    /// The same, run in `folder`.
    pub fn within(self, folder: &Path) -> Cli {
        Cli {
            folder: Some(folder.to_path_buf()),
            ..self
        }
    }

    /// The command, for scenarios that want to kill it.
    pub fn command(&self) -> Command {
        self.command_of(&binary())
    }

    /// The command, run by another binary.
    pub fn command_of(&self, binary: &Path) -> Command {
        let mut command = Command::new(binary);
        command.args(&self.args);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    /// Runs to the end.
    pub fn run(&self) -> Output {
        self.command()
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", binary().display()))
    }

    /// Runs to the end and insists on success; returns standard error, where the human text is.
    pub fn succeed(&self) -> String {
        let output = self.run();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success(),
            "ic-rescue {:?} failed ({}):\n{stderr}",
            self.args,
            output.status
        );
        stderr
    }

    /// Runs to the end and insists on failure; returns standard error.
    pub fn fail(&self) -> String {
        let output = self.run();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success(),
            "ic-rescue {:?} succeeded:\n{stderr}",
            self.args
        );
        stderr
    }

    /// Runs to the end with its output on the terminal, and insists on success.
    pub fn show(&self) {
        let status = self.command().status().unwrap();
        assert!(
            status.success(),
            "ic-rescue {:?} failed ({status})",
            self.args
        );
    }
}

//! A compiler for wasm, found or set up.
//!
//! In this order: an installed target; `rustup target add`; a toolchain that carries its library source
//! (build-std); on Debian as root, the packages that bring rustc, cargo, library source and linker; else
//! an error that names the command to run. Never asks rustup for another toolchain: a machine without
//! access to rustup's servers must still build.

use crate::cargo::{host_cargo, root, target_dir};
use crate::debian;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Debian's packages: rustc, its cargo, the library source, and a linker that understands wasm.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld-19";
const DEBIAN_CLIPPY: &str = "/usr/bin/cargo-clippy";
const DEBIAN_CLIPPY_PACKAGE: &str = "rust-web-clippy";
const DEBIAN_LIBRARY_SOURCE: &str = "/usr/lib/rustlib/src/rust/library";

/// A way to compile for one wasm target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toolchain {
    /// The active toolchain has the target's libraries.
    Target,
    /// The active toolchain has its library source.
    BuildStd,
    /// Debian's rustc, cargo and library source.
    Debian,
}

impl Toolchain {
    /// Finds, or sets up, a compiler for `target`.
    pub fn for_target(target: &str) -> Result<Toolchain> {
        if target_is_installed(target) {
            return Ok(Toolchain::Target);
        }
        if add_rustup_target(target) && target_is_installed(target) {
            return Ok(Toolchain::Target);
        }
        if library_source_is_installed() {
            return Ok(Toolchain::BuildStd);
        }
        if debian_is_ready() {
            return Ok(Toolchain::Debian);
        }
        if debian::can_install() {
            debian::install(&DEBIAN_PACKAGES)?;
            if debian_is_ready() {
                return Ok(Toolchain::Debian);
            }
        }
        bail!(
            "no compiler for {target}: run `rustup target add {target}` or, on Debian as root, \
             `apt-get install {}`",
            DEBIAN_PACKAGES.join(" ")
        )
    }

    /// A `cargo build` command for `target`; `libraries` are the standard libraries needed (`std,panic_abort`
    /// or `core`) where they have to be built.
    pub fn cargo_build(self, target: &str, libraries: &str) -> Command {
        self.cargo("build", target, libraries)
    }

    /// A `cargo clippy` command, otherwise the same.
    pub fn cargo_clippy(self, target: &str, libraries: &str) -> Result<Command> {
        if self == Toolchain::Debian && !Path::new(DEBIAN_CLIPPY).exists() {
            debian::install(&[DEBIAN_CLIPPY_PACKAGE])?;
        }
        Ok(self.cargo("clippy", target, libraries))
    }

    fn cargo(self, verb: &str, target: &str, libraries: &str) -> Command {
        let mut cargo = match self {
            Toolchain::Target | Toolchain::BuildStd => host_cargo(),
            Toolchain::Debian => debian_cargo(),
        };
        cargo.args([verb, "--profile", "canister", "--target", target]);
        if self != Toolchain::Target {
            cargo
                .env("RUSTC_BOOTSTRAP", "1")
                .arg(format!("-Zbuild-std={libraries}"));
        }
        // Host and canister builds never share a folder: they would rebuild each other's dependencies.
        cargo.env("CARGO_TARGET_DIR", build_dir());
        cargo
    }

    /// Name and version of the compiler, as it prints them.
    pub fn compiler_version(self) -> String {
        let rustc = match self {
            Toolchain::Target | Toolchain::BuildStd => "rustc",
            Toolchain::Debian => DEBIAN_RUSTC,
        };
        stdout(Command::new(rustc).arg("--version").current_dir(root()))
            .unwrap_or_else(|| "unknown compiler".to_string())
    }
}

/// The folder of canister builds.
pub fn build_dir() -> PathBuf {
    target_dir().join("wasm-build")
}

fn debian_cargo() -> Command {
    let mut cargo = Command::new(DEBIAN_CARGO);
    let path = std::env::var("PATH").unwrap_or_default();
    cargo
        .current_dir(root())
        .env("PATH", format!("/usr/bin:{path}"))
        .env("RUSTC", DEBIAN_RUSTC)
        .env_remove("RUSTUP_TOOLCHAIN")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER)
        .env("CARGO_TARGET_WASM64_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER);
    cargo
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    stdout(
        Command::new(rustc)
            .args(["--print", "sysroot"])
            .current_dir(root()),
    )
    .map(PathBuf::from)
}

fn library_source_is_installed() -> bool {
    sysroot(Path::new("rustc")).is_some_and(|sysroot| {
        sysroot
            .join("lib/rustlib/src/rust/library/Cargo.toml")
            .exists()
    })
}

fn target_is_installed(target: &str) -> bool {
    sysroot(Path::new("rustc")).is_some_and(|sysroot| {
        sysroot
            .join("lib/rustlib")
            .join(target)
            .join("lib")
            .exists()
    })
}

fn add_rustup_target(target: &str) -> bool {
    Command::new("rustup")
        .args(["target", "add", target])
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn debian_is_ready() -> bool {
    [
        DEBIAN_RUSTC,
        DEBIAN_CARGO,
        DEBIAN_LINKER,
        DEBIAN_LIBRARY_SOURCE,
    ]
    .iter()
    .all(|path| Path::new(path).exists())
}

fn stdout(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_string())
}

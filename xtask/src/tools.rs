//! Programs of others that the tests meet: the `icp` binary, the Motoko compiler, a browser.
//!
//! Each is found or installed on first use, npm packages below `target/tools/` in the exact version named
//! here, the rest as Debian's packages. None of them is part of what we ship.

use crate::cargo::{run, target_dir};
use crate::debian;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An npm package in one version.
struct Package {
    name: &'static str,
    version: &'static str,
}

const ICP: Package = Package {
    name: "@icp-sdk/icp-cli-linux-x64",
    version: "1.5.0",
};
const MOTOKO: Package = Package {
    name: "motoko",
    version: "4.10.0",
};

const CHROMIUM: &str = "/usr/bin/chromium";

/// The real `icp` binary.
pub fn icp() -> Result<PathBuf> {
    Ok(npm_package(&ICP)?.join("bin/icp"))
}

/// The folder of the npm package that carries the Motoko compiler as JavaScript; `node` runs it.
pub fn motoko() -> Result<PathBuf> {
    npm_package(&MOTOKO)
}

/// A Chromium that runs without a display.
pub fn chromium() -> Result<PathBuf> {
    let chromium = PathBuf::from(CHROMIUM);
    if !chromium.exists() {
        debian::install(&["chromium"])?;
    }
    if !chromium.exists() {
        bail!("no {CHROMIUM} after installing the package chromium");
    }
    Ok(chromium)
}

/// The folder of `package`, installed below `target/tools/`.
fn npm_package(package: &Package) -> Result<PathBuf> {
    let spec = format!("{}@{}", package.name, package.version);
    let prefix = target_dir()
        .join("tools")
        .join(spec.trim_start_matches('@').replace('/', "-"));
    let folder = prefix.join("node_modules").join(package.name);
    if !is_complete(&folder, package.version) {
        if !has_program("npm") {
            debian::install(&["nodejs", "npm"])?;
        }
        eprintln!("xtask: installing {spec} with npm");
        std::fs::create_dir_all(&prefix)?;
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
        ])
        .arg("--prefix")
        .arg(&prefix)
        .arg(&spec);
        run(&mut npm, &format!("npm install {spec}"))?;
    }
    Ok(folder)
}

/// npm writes a package's own package.json with its content; the version in it is the one installed.
fn is_complete(folder: &Path, version: &str) -> bool {
    std::fs::read_to_string(folder.join("package.json"))
        .is_ok_and(|text| text.contains(&format!("\"version\": \"{version}\"")))
}

fn has_program(name: &str) -> bool {
    Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

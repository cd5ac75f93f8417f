//! Debian's packages, installed when the machine is a Debian of which we are root.
//!
//! Only for what a build or a test cannot do without; never upgrades or removes anything.

use anyhow::{Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// apt-get is tried this often: another process may hold its lock or clean its cache meanwhile.
const APT_ATTEMPTS: u32 = 3;

/// Whether [`install`] can do anything here.
pub fn can_install() -> bool {
    Path::new("/etc/debian_version").exists() && is_root()
}

/// Installs `packages`; an error names them and the command to run by hand.
pub fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if !can_install() {
        bail!("missing: {list}. Install it, on Debian with `apt-get install {list}` as root");
    }
    eprintln!("xtask: installing {list} with apt-get");
    for _ in 0..APT_ATTEMPTS {
        let install = [&["install", "-y", "--no-install-recommends"][..], packages].concat();
        if apt_get(&["update"]) && apt_get(&install) {
            return Ok(());
        }
    }
    bail!("apt-get could not install {list}")
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt_get(args: &[&str]) -> bool {
    Command::new("apt-get")
        .args(["-qq", "-o", "DPkg::Lock::Timeout=300"])
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

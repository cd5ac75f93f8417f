//! `cargo xtask wasm`: the canister modules, built and processed into `target/wasm/`.
//!
//! The pair comes first (rescue embeds its final bytes), then rescue, then the patients. Every module gets
//! its candid interface and the commit of its sources as metadata through ic-wasm; rescue is shrunk; the pair gets its
//! finish and its proof from [`crate::pair`] and [`crate::inspect`]. A module is written only when its
//! bytes changed, so that nothing depending on it is rebuilt in vain.

use crate::cargo::{self, root, wasm_dir};
use crate::pair::{KINDS, KINDS_64, Kind, finish as finish_pair, rustflags};
use crate::toolchain::{Toolchain, build_dir};
use anyhow::{Context, Result, anyhow, bail};
use ic_wasm::metadata::{Kind as Visibility, add_metadata};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What canisters are compiled for; the pair also for its sibling with 64-bit addresses.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// The folders the pair is built from.
const PAIR_SOURCES: [&str; 3] = ["wire", "downloader", "uploader"];

/// The folders rescue is built from: the pair, which it embeds, and its own.
const RESCUE_SOURCES: [&str; 4] = ["wire", "downloader", "uploader", "rescue"];

/// A finished module on disk.
#[derive(Debug)]
pub struct Module {
    /// File name below `target/wasm/`, without `.wasm`.
    pub name: String,
    /// Length of the module in bytes.
    pub bytes: usize,
    /// SHA-256 of the file: the module hash the IC will report.
    pub sha256: String,
    /// The compiler that built it.
    pub compiler: String,
}

/// A patient: one crate, one set of features, one way to be (or not to be) broken.
struct Patient {
    name: &'static str,
    package: &'static str,
    features: &'static str,
}

const PATIENTS: [Patient; 9] = [
    Patient {
        name: "endpoints",
        package: "patient-endpoints",
        features: "",
    },
    Patient {
        name: "ledger",
        package: "patient-ledger",
        features: "",
    },
    Patient {
        name: "ledger_hook_panics",
        package: "patient-ledger",
        features: "hook-panics",
    },
    Patient {
        name: "ledger_hook_exhausts",
        package: "patient-ledger",
        features: "hook-exhausts",
    },
    Patient {
        name: "ledger_hook_saves",
        package: "patient-ledger",
        features: "hook-saves",
    },
    Patient {
        name: "ledger_fixed",
        package: "patient-ledger",
        features: "fixed",
    },
    Patient {
        name: "hoard",
        package: "patient-hoard",
        features: "",
    },
    Patient {
        name: "hoard_rebuilt",
        package: "patient-hoard",
        features: "rebuilt",
    },
    Patient {
        name: "hoard_fixed",
        package: "patient-hoard",
        features: "fixed",
    },
];

/// Builds every module; returns them in the order they are printed.
pub fn build_all() -> Result<Vec<Module>> {
    let toolchain = Toolchain::for_target(TARGET)?;
    let pair_commit = git_commit(&PAIR_SOURCES);
    let mut modules = Vec::new();

    for kind in KINDS.into_iter().chain(KINDS_64) {
        let toolchain = match kind.is_64() {
            false => toolchain,
            true => Toolchain::for_target(kind.target())?,
        };
        modules.push(build_pair_member(toolchain, kind, &pair_commit)?);
    }
    let mut build = toolchain.cargo_build(TARGET, "std,panic_abort");
    build
        .args(["-p", "rescue", "--lib"])
        .env("IC_RESCUE_PAIR_DIR", wasm_dir());
    cargo::run(&mut build, "building rescue")?;
    let did = read_did("rescue/rescue.did")?;
    modules.push(finish(
        "rescue",
        &artifact("rescue"),
        &did,
        &git_commit(&RESCUE_SOURCES),
        true,
        toolchain,
    )?);

    for patient in &PATIENTS {
        let mut build = toolchain.cargo_build(TARGET, "std,panic_abort");
        build.args([
            "-p",
            patient.package,
            "--lib",
            "--features",
            patient.features,
        ]);
        cargo::run(&mut build, &format!("building patient {}", patient.name))?;
        let crate_name = patient.package.replace('-', "_");
        let folder = patient.package.trim_start_matches("patient-");
        let did = read_did(&format!("tests/patients/{folder}/{folder}.did"))?;
        let commit = git_commit(&[&format!("tests/patients/{folder}")]);
        let name = format!("patients/{}", patient.name);
        modules.push(finish(
            &name,
            &artifact(&crate_name),
            &did,
            &commit,
            false,
            toolchain,
        )?);
    }
    Ok(modules)
}

/// Package and features of every canister but the pair.
pub fn canisters() -> impl Iterator<Item = (&'static str, &'static str)> {
    let patients = PATIENTS
        .iter()
        .map(|patient| (patient.package, patient.features));
    std::iter::once(("rescue", "")).chain(patients)
}

/// Prints name, bytes, sha256 and compiler of each module.
pub fn print(modules: &[Module]) {
    for module in modules {
        println!(
            "{:<28} {:>8} bytes  sha256 {}  {}",
            module.name, module.bytes, module.sha256, module.compiler
        );
    }
}

fn artifact(crate_name: &str) -> PathBuf {
    build_dir()
        .join(TARGET)
        .join("canister")
        .join(format!("{crate_name}.wasm"))
}

fn read_did(path: &str) -> Result<String> {
    std::fs::read_to_string(root().join(path)).with_context(|| format!("reading {path}"))
}

/// Adds metadata to the module at `raw`, shrinks it if asked, and writes it below `target/wasm/`.
fn finish(
    name: &str,
    raw: &Path,
    did: &str,
    commit: &str,
    shrink: bool,
    toolchain: Toolchain,
) -> Result<Module> {
    let raw = std::fs::read(raw).with_context(|| format!("reading {}", raw.display()))?;
    let bytes =
        with_metadata(&raw, did, commit, shrink).with_context(|| format!("processing {name}"))?;
    write_module(name, &bytes, toolchain)
}

fn with_metadata(raw: &[u8], did: &str, commit: &str, shrink: bool) -> Result<Vec<u8>> {
    // A shrunk module has no names: rescue has to fit one ingress message of 2 MiB.
    let keep_name_section = !shrink;
    let mut module = ic_wasm::utils::parse_wasm(raw, keep_name_section)
        .map_err(|error| anyhow!("ic-wasm cannot parse it: {error}"))?;
    if shrink {
        ic_wasm::shrink::shrink(&mut module);
    }
    add_metadata(
        &mut module,
        Visibility::Public,
        "candid:service",
        did.as_bytes().to_vec(),
    );
    add_metadata(
        &mut module,
        Visibility::Public,
        "git_commit_id",
        commit.as_bytes().to_vec(),
    );
    Ok(module.emit_wasm())
}

fn write_module(name: &str, bytes: &[u8], toolchain: Toolchain) -> Result<Module> {
    let path = wasm_dir().join(format!("{name}.wasm"));
    let folder = path.parent().expect("BUG: a module path has a folder");
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    if std::fs::read(&path).ok().as_deref() != Some(bytes) {
        std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(Module {
        name: name.to_string(),
        bytes: bytes.len(),
        sha256: hex::encode(Sha256::digest(bytes)),
        compiler: toolchain.compiler_version(),
    })
}

/// What every module is built from besides its own folders: profiles, versions and the build itself.
const COMMON_SOURCES: [&str; 3] = ["Cargo.toml", "Cargo.lock", "xtask/src"];

/// The last commit that touched `sources` (folders or files below the root) or [`COMMON_SOURCES`]; `-dirty`
/// when tracked files among them differ from it. A commit that touches none of them leaves the module
/// hash as it was.
fn git_commit(sources: &[&str]) -> String {
    let git = |args: &[&str]| -> Option<String> {
        let output = Command::new("git")
            .args(args)
            .arg("--")
            .args(sources.iter().chain(&COMMON_SOURCES))
            .current_dir(root())
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    match git(&["log", "-1", "--format=%H"]).filter(|commit| !commit.is_empty()) {
        None => "unknown".to_string(),
        Some(commit) => {
            let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
            let clean = changed.is_some_and(|list| list.is_empty());
            if clean {
                commit
            } else {
                format!("{commit}-dirty")
            }
        }
    }
}

/// Builds one of the pair, finishes it and refuses to write it unless its proof holds.
fn build_pair_member(toolchain: Toolchain, kind: Kind, commit: &str) -> Result<Module> {
    let package = kind.package();
    let name = kind.module_name();
    // Their flags differ from the other canisters': a folder of their own spares both a rebuild.
    let folder = build_dir().join("pair");
    let mut build = toolchain.cargo_build(kind.target(), "core,panic_abort");
    build
        .args(["-p", package, "--lib"])
        .env("RUSTFLAGS", rustflags().join(" "))
        .env("CARGO_TARGET_DIR", &folder);
    cargo::run(&mut build, &format!("building {name}"))?;

    let did = read_did(&format!("{package}/{package}.did"))?;
    let linked = folder
        .join(kind.target())
        .join("canister")
        .join(format!("{package}.wasm"));
    let linked = std::fs::read(&linked).with_context(|| format!("reading {}", linked.display()))?;
    let described = with_metadata(&linked, &did, commit, false)
        .with_context(|| format!("processing {name}"))?;
    let bytes = finish_pair(kind, &described).with_context(|| format!("finishing {name}"))?;
    if let Err(findings) = crate::inspect::inspect(kind, &bytes, &did) {
        let list: Vec<String> = findings
            .iter()
            .map(|finding| format!("  {finding}"))
            .collect();
        bail!("{name}.wasm breaks its promises:\n{}", list.join("\n"));
    }
    write_module(name, &bytes, toolchain)
}

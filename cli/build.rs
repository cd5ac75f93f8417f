//! Embeds the pair for the routes without a rescue canister, if it has been built.
//!
//! `IC_RESCUE_EMBEDDED_PAIR_DIR` names the folder with the modules (`.cargo/config.toml` sets it to where `cargo xtask wasm`
//! writes them). What is missing there is left out: the program is complete but for those routes, which then ask
//! for the modules as files.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=IC_RESCUE_EMBEDDED_PAIR_DIR");
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let folder = env::var_os("IC_RESCUE_EMBEDDED_PAIR_DIR");
    for name in ["downloader", "downloader64", "uploader", "uploader64"] {
        let module = folder
            .as_ref()
            .and_then(|folder| embed(&Path::new(folder).join(format!("{name}.wasm"))));
        let code = module.unwrap_or_else(|| "None".into());
        fs::write(Path::new(&out).join(format!("{name}.rs")), code).expect("OUT_DIR is writable");
    }
}

/// An expression for the bytes of `file`; none if it is not there.
fn embed(file: &Path) -> Option<String> {
    println!("cargo::rerun-if-changed={}", file.display());
    let file = file.canonicalize().ok()?;
    Some(format!(
        "Some(include_bytes!({:?}))",
        file.display().to_string()
    ))
}

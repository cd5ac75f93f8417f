//! Puts the pair where `src/pair.rs` embeds it from: `OUT_DIR/downloader.wasm`, `OUT_DIR/uploader.wasm`,
//! and both with 64-bit addresses.
//!
//! `IC_RESCUE_PAIR_DIR` names the folder with the finished modules (`cargo xtask wasm` sets it). A
//! canister is not built without it. Host builds (tests, clippy) that lack it get placeholders which
//! no IC would install.

use std::path::{Path, PathBuf};
use std::{env, fs};

const VARIABLE: &str = "IC_RESCUE_PAIR_DIR";
const NAMES: [&str; 4] = [
    "downloader.wasm",
    "uploader.wasm",
    "downloader64.wasm",
    "uploader64.wasm",
];

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("BUG: cargo sets OUT_DIR"));
    let for_wasm = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32");
    match env::var_os(VARIABLE) {
        Some(folder) => embed(Path::new(&folder), &out_dir),
        None if for_wasm => fail(&format!(
            "{VARIABLE} is not set: it must name the folder with the modules of the pair. \
             Build the canisters with `cargo xtask wasm`, which sets it."
        )),
        None => placeholders(&out_dir),
    }
}

fn embed(folder: &Path, out_dir: &Path) {
    for name in NAMES {
        let source = folder.join(name);
        println!("cargo::rerun-if-changed={}", source.display());
        let bytes = fs::read(&source)
            .unwrap_or_else(|error| fail(&format!("cannot read {}: {error}", source.display())));
        if !bytes.starts_with(b"\0asm") {
            fail(&format!("{} is not a WebAssembly module", source.display()));
        }
        write(&out_dir.join(name), &bytes);
    }
}

fn placeholders(out_dir: &Path) {
    for name in NAMES {
        let text = format!("placeholder for {name}: built without {VARIABLE}, never installed");
        write(&out_dir.join(name), text.as_bytes());
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes)
        .unwrap_or_else(|error| fail(&format!("cannot write {}: {error}", path.display())));
}

fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    std::process::exit(1)
}

//! Embeds the downloader for the route without a rescue canister, if the build knows where it is.
//!
//! `IC_RESCUE_PAIR_DIR` names the folder with `downloader.wasm`. Without it the program is complete but for
//! that route, which then asks for `--downloader FILE`.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=IC_RESCUE_PAIR_DIR");
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let code = match env::var("IC_RESCUE_PAIR_DIR") {
        Err(_) => "None".to_string(),
        Ok(folder) => {
            let file = Path::new(&folder).join("downloader.wasm");
            println!("cargo::rerun-if-changed={}", file.display());
            let file = file.canonicalize().unwrap_or_else(|error| {
                panic!("IC_RESCUE_PAIR_DIR is set, but {}: {error}", file.display())
            });
            format!("Some(include_bytes!({:?}))", file.display().to_string())
        }
    };
    fs::write(Path::new(&out).join("downloader.rs"), code).expect("OUT_DIR is writable");
}

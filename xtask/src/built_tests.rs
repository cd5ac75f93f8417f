//! What lies in `target/wasm/` keeps its promises: the files themselves, as users will install them.

use crate::cargo::{root, wasm_dir};
use crate::inspect::inspect;
use crate::pair::{KINDS, KINDS_64};
use wasmparser::{Parser, Payload};

fn built(name: &str) -> Vec<u8> {
    let path = wasm_dir().join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask wasm`", path.display()))
}

#[test]
fn the_built_modules_keep_their_promises() {
    for kind in KINDS.into_iter().chain(KINDS_64) {
        let package = kind.package();
        let did = std::fs::read_to_string(root().join(format!("{package}/{package}.did"))).unwrap();
        if let Err(findings) = inspect(kind, &built(kind.module_name()), &did) {
            panic!("{}: {findings:?}", kind.module_name());
        }
    }
}

#[test]
fn each_of_the_32_bit_pair_fits_ten_kib() {
    assert!(built("downloader").len() <= 10 << 10);
    assert!(built("uploader").len() <= 10 << 10);
}

#[test]
fn rescue_has_its_interface_and_no_pre_upgrade_hook() {
    let module = built("rescue");
    let did = std::fs::read(root().join("rescue/rescue.did")).unwrap();
    let mut interface = None;
    for payload in Parser::new(0).parse_all(&module) {
        match payload.unwrap() {
            Payload::ExportSection(exports) => {
                for export in exports {
                    assert_ne!(export.unwrap().name, concat!("canister_", "pre_upgrade"));
                }
            }
            Payload::CustomSection(section) if section.name() == "icp:public candid:service" => {
                interface = Some(section.data().to_vec());
            }
            _ => {}
        }
    }
    assert_eq!(interface, Some(did));
}

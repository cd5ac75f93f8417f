//! The scripts for users of icp and dfx, run as they stand; and what `dfx.json` says.
//!
//! `icp` is the real binary. `dfx` cannot be installed here: its place takes a double that notes its command lines
//! and installs through `icp`.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::icp::{self, Icp, OPERATOR};
use tests::ledger::{Ledger, varied_entries};
use tests::{World, cli, wasms};

const BROKEN: &str = "patients/ledger_hook_panics";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A folder with the programs that a script calls.
fn programs(world: &World) -> PathBuf {
    let folder = world.folder.path().join("programs");
    fs::create_dir(&folder).unwrap();
    symlink(cli::binary(), folder.join("ic-rescue")).unwrap();
    symlink(icp::binary(), folder.join("icp")).unwrap();
    folder
}

/// Runs a script in the project folder; returns what it said.
fn run(world: &World, icp: &Icp<'_>, project: &Path, script: &str, args: &[&str]) -> String {
    let path = format!(
        "{}:{}",
        world.folder.path().join("programs").display(),
        std::env::var("PATH").unwrap()
    );
    let output = Command::new(root().join("scripts").join(script))
        .args(args)
        .current_dir(project)
        .env_clear()
        .env("PATH", path)
        .env("HOME", icp.home())
        .env("DO_NOT_TRACK", "1")
        .env("IC_RESCUE_NETWORK", world.url())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(output.status.success(), "{script}: {said}");
    said
}

#[test]
fn the_script_for_icp_rescues_a_canister() {
    let world = World::new();
    let ledger = Ledger::bricked(&world, &varied_entries(61, 1_500_000), BROKEN);
    let record = ledger.record(&world);
    let icp = Icp::new(&world);
    icp.succeed(&[&"identity", &"default", &OPERATOR]);
    programs(&world);
    let fixed = wasms::folder().join("patients/ledger_fixed.wasm");
    let said = run(
        &world,
        &icp,
        world.folder.path(),
        "rescue-icp.sh",
        &[
            &ledger.canister.to_text(),
            fixed.to_str().unwrap(),
            "backup",
            "--network",
            &world.url(),
            "--root-key",
            &hex::encode(world.pic.root_key().unwrap()),
        ],
    );
    assert!(said.contains("Done."), "{said}");
    assert_eq!(ledger.build(&world), "fixed");
    assert_eq!(ledger.record(&world), record);
}

#[test]
fn the_script_for_dfx_rescues_a_canister_by_its_name() {
    let world = World::new();
    let ledger = Ledger::bricked(&world, &varied_entries(62, 1_500_000), BROKEN);
    let record = ledger.record(&world);
    let icp = Icp::new(&world);
    let project = world.folder.path().join("project");
    fs::create_dir_all(project.join(".dfx/local")).unwrap();
    fs::write(
        project.join(".dfx/local/canister_ids.json"),
        format!(r#"{{"ledger": {{"local": "{}"}}}}"#, ledger.canister),
    )
    .unwrap();
    let identity = icp.home().join(".config/dfx/identity/alice");
    fs::create_dir_all(&identity).unwrap();
    fs::copy(&world.operator.pem_file, identity.join("identity.pem")).unwrap();
    let noted = double_of_dfx(&world, ledger);
    let fixed = wasms::folder().join("patients/ledger_fixed.wasm");
    let fixed = fixed.to_str().unwrap();
    let said = run(
        &world,
        &icp,
        &project,
        "rescue-dfx.sh",
        &["ledger", fixed, "backup", "--network", "local"],
    );
    assert!(said.contains("Done."), "{said}");
    let expected = format!(
        "identity whoami\ncanister install ledger --mode upgrade --wasm {fixed} --skip-pre-upgrade \
         --wasm-memory-persistence replace --yes --network local\n"
    );
    assert_eq!(fs::read_to_string(noted).unwrap(), expected);
    assert_eq!(ledger.build(&world), "fixed");
    assert_eq!(ledger.record(&world), record);
}

/// Puts a double in the place of `dfx`; returns the file in which it notes its command lines.
fn double_of_dfx(world: &World, ledger: Ledger) -> PathBuf {
    let noted = world.folder.path().join("dfx-calls");
    let double = format!(
        "#!/bin/sh\necho \"$*\" >> {}\ncase \"$1 $2\" in\n\
         'identity whoami') echo alice ;;\n\
         'canister install') exec icp canister install {} --mode upgrade --wasm \"$7\" \
         --wasm-memory-persistence replace --yes --network {} --root-key {} --identity {OPERATOR} ;;\n\
         *) exit 64 ;;\nesac\n",
        noted.display(),
        ledger.canister,
        world.url(),
        hex::encode(world.pic.root_key().unwrap())
    );
    // canister install NAME --mode upgrade --wasm FILE: the file is the seventh word.
    let path = programs(world).join("dfx");
    fs::write(&path, double).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    noted
}

#[test]
fn dfx_json_builds_everything_through_xtask_and_pins_nothing() {
    let text = fs::read_to_string(root().join("dfx.json")).unwrap();
    let project: Value = serde_json::from_str(&text).unwrap();
    assert!(project.get("dfx").is_none(), "no version is pinned");
    let canisters = project["canisters"].as_object().unwrap();
    for name in ["rescue", "downloader", "uploader"] {
        assert!(canisters.contains_key(name), "{name}");
    }
    for (name, canister) in canisters {
        assert_eq!(canister["type"], "custom", "{name}");
        assert_eq!(canister["build"], serde_json::json!(["cargo xtask wasm"]));
        let wasm = canister["wasm"].as_str().unwrap();
        let module = wasm.strip_prefix("target/wasm/").unwrap();
        assert!(wasms::folder().join(module).is_file(), "{wasm}");
        let candid = canister["candid"].as_str().unwrap();
        assert!(root().join(candid).is_file(), "{candid}");
    }
}

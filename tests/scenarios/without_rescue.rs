//! Rescues without a rescue canister: by a controller's own hand, through the canister's own endpoints, and through
//! canister snapshots. Each route keeps what proves it, and has a way back.

use ic_management_canister_types::CanisterInstallMode;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tests::cli::Cli;
use tests::ledger::{Entry, Ledger, Record, varied_entries};
use tests::{World, sha256, wasms};

const BROKEN: &str = "patients/ledger_hook_panics";

struct Ward {
    world: World,
    ledger: Ledger,
    record: Record,
    id: String,
}

impl Ward {
    fn open(seed: u64) -> Ward {
        let entries: Vec<Entry> = varied_entries(seed, 3_000_000);
        let world = World::new();
        let ledger = Ledger::bricked(&world, &entries, BROKEN);
        Ward {
            record: ledger.record(&world),
            id: ledger.canister.to_text(),
            world,
            ledger,
        }
    }

    fn lose_everything(&self) {
        let empty = wasms::load("patients/ledger");
        self.world
            .install_code(self.ledger.canister, empty, CanisterInstallMode::Reinstall)
            .unwrap();
        assert!(self.ledger.record(&self.world).entries.is_empty());
    }

    /// The objects that a command wrote to standard output.
    fn json(&self, args: &[&dyn AsRef<std::ffi::OsStr>]) -> Vec<Value> {
        let mut args = args.to_vec();
        args.push(&"--json");
        let output = Cli::new(&self.world, &args).run();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn snapshots(&self) -> Vec<String> {
        self.json(&[&"snapshot", &"list", &self.id])
            .iter()
            .filter(|event| event["type"] == "snapshot")
            .map(|event| event["snapshot"].as_str().unwrap().to_string())
            .collect()
    }
}

#[test]
fn a_backup_by_snapshot_is_restored_by_snapshot() {
    let ward = Ward::open(51);
    let module = ward.world.module_hash(ward.ledger.canister);
    let directory = ward.world.folder.path().join("backup");
    let args: [&dyn AsRef<std::ffi::OsStr>; 5] =
        [&"backup", &ward.id, &"--by-snapshot", &"-o", &directory];
    let events = ward.json(&args);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "backed_up");
    assert_eq!(last["loadable_as_snapshot"], true);
    assert_eq!(ward.snapshots().len(), 1);
    let image = fs::read(directory.join("stable_memory.bin")).unwrap();
    assert!(image == ward.world.stable_memory(ward.ledger.canister));
    assert_eq!(ward.ledger.record(&ward.world), ward.record, "it runs on");

    ward.lose_everything();
    ward.json(&[&"restore", &directory, &ward.id, &"--by-snapshot"]);
    assert_eq!(ward.world.module_hash(ward.ledger.canister), module);
    assert_eq!(ward.ledger.record(&ward.world), ward.record);
    let left = ward.snapshots();
    assert_eq!(
        left.len(),
        2,
        "the first, and the way back; the uploaded one is gone"
    );

    // The way back from the restore: the empty ledger.
    ward.json(&[
        &"snapshot",
        &"restore",
        &ward.id,
        &left[1],
        &"--no-snapshot",
        &"a test",
    ]);
    assert!(ward.ledger.record(&ward.world).entries.is_empty());
    // And the way back from that: what the first backup was made of.
    ward.json(&[&"snapshot", &"restore", &ward.id, &left[0]]);
    assert_eq!(ward.ledger.record(&ward.world), ward.record);
}

#[test]
fn an_upload_that_was_begun_is_gone_on_with() {
    let ward = Ward::open(52);
    let directory = ward.world.folder.path().join("backup");
    let created = ward.json(&[&"snapshot", &"create", &ward.id]);
    let id = created.last().unwrap()["snapshot"].as_str().unwrap();
    ward.json(&[&"snapshot", &"download", &ward.id, &id, &"-o", &directory]);
    let again = ward.json(&[&"snapshot", &"download", &ward.id, &id, &"-o", &directory]);
    let fetched: Vec<&Value> = again.iter().filter(|e| e["type"] == "fetched").collect();
    assert!(
        fetched.len() == 2 && fetched.iter().all(|event| event["chunks"] == 0),
        "nothing is read twice: {fetched:?}"
    );

    let first = ward.json(&[&"snapshot", &"upload", &directory, &ward.id]);
    let second = ward.json(&[&"snapshot", &"upload", &directory, &ward.id]);
    let sent = |events: &[Value]| -> u64 {
        let sent = events.iter().filter(|event| event["type"] == "sent");
        sent.map(|event| event["chunks"].as_u64().unwrap()).sum()
    };
    assert!(sent(&first) > 0);
    assert_eq!(sent(&second), 0, "all of it is there");
    let id_of = |events: &[Value]| events.last().unwrap()["snapshot"].clone();
    assert_eq!(id_of(&first), id_of(&second));

    // A damaged directory sends nothing, and a missing file is found before a snapshot is begun.
    let held = ward.snapshots().len();
    fs::remove_file(directory.join("wasm_memory.bin")).unwrap();
    fs::remove_dir_all(directory.join("ic-rescue")).unwrap();
    let told = Cli::new(&ward.world, &[&"snapshot", &"upload", &directory, &ward.id]).fail();
    assert!(told.contains("wasm_memory.bin"), "{told}");
    assert_eq!(ward.snapshots().len(), held);

    ward.json(&[&"snapshot", &"delete", &ward.id, &id]);
    assert_eq!(ward.snapshots().len(), held - 1);
    let told = Cli::new(&ward.world, &[&"snapshot", &"delete", &ward.id, &id]).fail();
    assert!(told.contains("has no snapshot"), "{told}");
}

#[test]
fn a_direct_rescue_is_certified_and_written_back() {
    let ward = Ward::open(53);
    let directory = ward.world.folder.path().join("backup");
    let backup = Cli::new(
        &ward.world,
        &[&"backup", &ward.id, &"--direct", &"-o", &directory],
    );
    backup.succeed();
    let told = Cli::offline(&[&"verify", &directory]).succeed();
    assert!(told.contains("certified by the subnet"), "{told}");
    // A second one, with the downloader in place, takes no second snapshot and fetches nothing.
    let told = backup.succeed();
    assert!(told.contains("0 to fetch"), "{told}");
    assert_eq!(ward.snapshots().len(), 1);

    ward.lose_everything();
    let restore = Cli::new(
        &ward.world,
        &[&"restore", &directory, &ward.id, &"--direct", &"--wipe"],
    );
    let told = restore.succeed();
    assert!(
        told.contains("hashed on chain by replicated calls"),
        "{told}"
    );
    assert_eq!(ward.snapshots().len(), 2, "of the empty ledger, too");
    let told = restore.succeed();
    assert!(told.contains("sent 0 chunks"), "{told}");
    ward.world
        .upgrade_with(
            ward.ledger.canister,
            wasms::load("patients/ledger_fixed"),
            true,
            ic_management_canister_types::WasmMemoryPersistence::Replace,
        )
        .unwrap();
    assert_eq!(ward.ledger.record(&ward.world), ward.record);
}

/// A canister whose hook works for 60 billion instructions, and then traps.
const HARD_WORKING: &str = r#"(module
  (memory 16)
  (func (export "canister_pre_upgrade") (local $left i32)
    (local.set $left (i32.const 60000))
    (loop $again
      (memory.fill (i32.const 0) (i32.const 7) (i32.const 1000000))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (unreachable)))"#;
/// Time between two rounds, in milliseconds: 30 rounds work the hook's instructions off.
const ROUND_MS: u64 = 700;

#[test]
fn a_canister_that_may_not_be_installed_yet_is_waited_for() {
    let world = World::new();
    let module = wat::parse_str(HARD_WORKING).unwrap();
    let arg = candid::encode_args(()).unwrap();
    let canister = world.install(module.clone(), arg);
    world.upgrade(canister, module).unwrap_err();
    world.slow_down(ROUND_MS);
    let directory = world.folder.path().join("backup");
    let id = canister.to_text();
    let told = Cli::new(&world, &[&"backup", &id, &"--direct", &"-o", &directory]).succeed();
    assert!(
        told.contains("waiting (0 s of at most 300 s): the Internet Computer limits installations"),
        "{told}"
    );
    Cli::offline(&[&"verify", &directory]).succeed();
}

#[test]
fn a_forged_backup_that_is_consistent_in_itself_is_not_certified() {
    let world = World::new();
    let ledger = Ledger::bricked(&world, &varied_entries(54, 2_000_000), BROKEN);
    let arg = candid::encode_args(()).unwrap();
    let endpoints = world.install(wasms::load("patients/endpoints"), arg.clone());
    let sender = world.operator.principal;
    let data = serde_bytes::ByteBuf::from(vec![7; 1_200_000]);
    let () =
        pocket_ic::update_candid_as(&world.pic, endpoints, sender, "stable_write", (0u64, data))
            .unwrap();
    let reader = world.install(wat::parse_str(READER).unwrap(), arg);
    for (name, canister, route) in [
        ("a", ledger.canister, "--direct"),
        ("b", endpoints, "--endpoints"),
        ("c", reader, "--endpoints"),
    ] {
        let directory = world.folder.path().join(name);
        let id = canister.to_text();
        Cli::new(&world, &[&"backup", &id, &route, &"-o", &directory]).succeed();
        let told = Cli::offline(&[&"verify", &directory]).succeed();
        assert!(told.contains("certified by the subnet"), "{name}: {told}");
        forge(&directory);
        let told = Cli::offline(&[&"verify", &directory]).fail();
        assert!(
            told.contains(": sound;"),
            "only the certificate can tell: {told}"
        );
        assert!(
            told.contains("the roots are NOT certified"),
            "{name}: {told}"
        );
    }
}

/// A canister of 2 MiB of stable memory that can be read but not hash itself: `stable_size` and `stable_read`, each
/// read a whole MiB.
const READER: &str = r#"(module
  (import "ic0" "msg_arg_data_copy" (func $arg (param i32 i32 i32)))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "stable64_grow" (func $grow (param i64) (result i64)))
  (import "ic0" "stable64_read" (func $read (param i64 i64 i64)))
  (import "ic0" "stable64_write" (func $write (param i64 i64 i64)))
  (memory 20)
  (data (i32.const 0) "DIDL\00\01\78\00\00\20\00\00\00\00\00")
  (data (i32.const 32) "DIDL\01\6d\7b\01\00\80\80\40")
  (data (i32.const 64) "something to lose")
  (func (export "canister_init")
    (drop (call $grow (i64.const 32)))
    (call $write (i64.const 100) (i64.const 64) (i64.const 17))
    (call $write (i64.const 1500000) (i64.const 64) (i64.const 17)))
  (func (export "canister_query stable_size")
    (call $append (i32.const 0) (i32.const 15))
    (call $reply))
  (func (export "canister_query stable_read")
    (call $arg (i32.const 128) (i32.const 8) (i32.const 8))
    (call $read (i64.const 65536) (i64.load (i32.const 128)) (i64.const 1048576))
    (call $append (i32.const 32) (i32.const 12))
    (call $append (i32.const 65536) (i32.const 1048576))
    (call $reply)))"#;

/// Changes a byte of stable memory, and everything in the directory that would show it.
fn forge(directory: &Path) {
    let path = |name: &str| directory.join(name);
    let mut image = fs::read(path("stable_memory.bin")).unwrap();
    image[5] ^= 1;
    fs::write(path("stable_memory.bin"), &image).unwrap();
    let digests_file = "ic-rescue/stable_memory.sha256";
    let before = fs::read(path(digests_file)).unwrap();
    let chunk = 1 << 20;
    let digests: Vec<u8> = image.chunks(chunk).flat_map(sha256).collect();
    fs::write(path(digests_file), &digests).unwrap();
    let root = |digests: &[u8]| {
        let header = format!(
            "ic-rescue memory root 1\nstable\n{}\n{chunk}\n",
            image.len()
        );
        hex::encode(sha256(&[header.as_bytes(), digests].concat()))
    };
    let manifest = fs::read_to_string(path("ic-rescue/manifest.json")).unwrap();
    let manifest = manifest.replace(&root(&before), &root(&digests)).replace(
        &hex::encode(sha256(&before)),
        &hex::encode(sha256(&digests)),
    );
    for copy in ["ic-rescue/manifest.json", "ic-rescue/manifest.copy.json"] {
        fs::write(path(copy), &manifest).unwrap();
    }
    let sums = fs::read_to_string(path("ic-rescue/SHA256SUMS")).unwrap();
    let sums: String = sums
        .lines()
        .map(|line| {
            let (_, name) = line.split_once("  ").unwrap();
            format!(
                "{}  {name}\n",
                hex::encode(sha256(&fs::read(path(name)).unwrap()))
            )
        })
        .collect();
    fs::write(path("ic-rescue/SHA256SUMS"), sums).unwrap();
}

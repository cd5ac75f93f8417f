//! A project's life with the real `icp` binary: deployed, called, looked at, snapshot, upgraded, restored.
//!
//! Outputs and exit codes are the binary's own; what it claims is compared with what the network says.

use candid::Principal;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::World;
use tests::icp::{Icp, OPERATOR};
use tests::sha256;

/// Cycles the operator gets from the anonymous identity.
const ALLOWANCE: &str = "20t";

/// A counter that survives upgrades in stable memory and tells its log about every step.
fn counter(version: u8) -> Vec<u8> {
    // Candid: one nat64. The counter lies right behind its type.
    let source = r#"(module
        (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
        (import "ic0" "debug_print" (func $print (param i32 i32)))
        (import "ic0" "trap" (func $trap (param i32 i32)))
        (import "ic0" "stable64_grow" (func $grow (param i64) (result i64)))
        (import "ic0" "stable64_write" (func $write (param i64 i64 i64)))
        (import "ic0" "stable64_read" (func $read (param i64 i64 i64)))
        (memory 1)
        (data (i32.const 0) "DIDL\00\01\78")
        (data (i32.const 64) "one more")
        (data (i32.const 96) "DIDL\00\01\78\VERSION\00\00\00\00\00\00\00")
        (func $keep (call $write (i64.const 0) (i64.const 7) (i64.const 8)))
        (func (export "canister_init") (drop (call $grow (i64.const 1))))
        (func (export "canister_pre_upgrade") (call $keep))
        (func (export "canister_post_upgrade") (call $read (i64.const 7) (i64.const 0) (i64.const 8)))
        (func (export "canister_query get")
            (call $append (i32.const 0) (i32.const 15))
            (call $reply))
        (func (export "canister_query version")
            (call $append (i32.const 96) (i32.const 15))
            (call $reply))
        (func (export "canister_update inc")
            (i64.store (i32.const 7) (i64.add (i64.load (i32.const 7)) (i64.const 1)))
            (call $keep)
            (call $print (i32.const 64) (i32.const 8))
            (call $append (i32.const 0) (i32.const 15))
            (call $reply))
        (func (export "canister_update fail") (call $trap (i32.const 64) (i32.const 8)))
        (@custom "icp:public candid:service"
            "service : { get : () -> (nat64) query; version : () -> (nat64) query; inc : () -> (nat64); fail : () -> () }"))"#;
    wat::parse_str(source.replace("VERSION", &format!("{version:02x}"))).unwrap()
}

/// Output of a command that succeeds.
fn succeed(mut command: Command) -> String {
    let output = command.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?} failed:\n{stdout}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

/// Complaint of a command that fails.
fn fail(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{command:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

struct Project<'a> {
    world: &'a World,
    icp: Icp<'a>,
    module: PathBuf,
}

impl<'a> Project<'a> {
    fn new(world: &'a World) -> Self {
        let icp = Icp::new(world);
        let module = world.folder.path().join("counter.wasm");
        icp.write_project("counter", &module);
        Self { world, icp, module }
    }

    fn run(&self, args: &[&dyn AsRef<std::ffi::OsStr>]) -> String {
        succeed(self.icp.project_command(OPERATOR, args))
    }

    fn call(&self, method: &str) -> String {
        self.run(&[&"canister", &"call", &"counter", &method, &"()"])
    }

    fn canister(&self) -> Principal {
        let id = self.run(&[&"canister", &"status", &"counter", &"--id-only"]);
        Principal::from_text(id.trim()).unwrap()
    }

    fn status(&self) -> String {
        format!("{:?}", self.world.status(self.canister()).status)
    }

    fn download(&self, snapshot: &str, to: &Path) {
        self.run(&[
            &"canister",
            &"snapshot",
            &"download",
            &"counter",
            &snapshot,
            &"--output",
            &to,
        ]);
    }
}

#[test]
fn icp_deploys_calls_upgrades_and_restores() {
    let world = World::with_cycles_ledger();
    let project = Project::new(&world);
    let operator = world.operator.principal.to_text();
    std::fs::write(&project.module, counter(1)).unwrap();

    // Without cycles nothing is created, and the reason is told.
    let complaint = fail(project.icp.project_command(OPERATOR, &[&"deploy"]));
    assert!(complaint.contains("Insufficient cycles"), "{complaint}");
    let gift: [&dyn AsRef<std::ffi::OsStr>; 4] = [&"cycles", &"transfer", &ALLOWANCE, &operator];
    succeed(project.icp.project_command("anonymous", &gift));
    assert!(project.run(&[&"cycles", &"balance"]).contains("20"));

    project.run(&[&"deploy"]);
    let canister = project.canister();
    assert_eq!(world.module_hash(canister), Some(sha256(&counter(1))));
    let status = world.status(canister);
    assert_eq!(status.settings.controllers, [world.operator.principal]);
    assert!(
        world
            .pic
            .topology()
            .get_app_subnets()
            .contains(&world.pic.get_subnet(canister).unwrap())
    );

    assert!(project.call("inc").contains("(1 : nat64)"));
    assert!(project.call("inc").contains("(2 : nat64)"));
    let asked = project.run(&[&"canister", &"call", &"counter", &"get", &"()", &"--query"]);
    assert!(asked.contains("(2 : nat64)"), "{asked}");
    let complaint = fail(project.icp.project_command(
        OPERATOR,
        &[&"canister", &"call", &"counter", &"fail", &"()"],
    ));
    assert!(complaint.contains("one more"), "{complaint}");
    let logs = project.run(&[&"canister", &"logs", &"counter"]);
    assert!(logs.matches("one more").count() >= 2, "{logs}");
    assert!(logs.contains("[TRAP]"), "{logs}");

    let shown = project.run(&[&"canister", &"status", &"counter", &"--json"]);
    assert!(shown.contains(&hex::encode(sha256(&counter(1)))), "{shown}");
    project.run(&[
        &"canister",
        &"settings",
        &"update",
        &"counter",
        &"--freezing-threshold",
        &"40d",
    ]);
    let shown = project.run(&[&"canister", &"settings", &"show", &"counter", &"--json"]);
    assert!(shown.contains("freezing_threshold"), "{shown}");
    assert_eq!(
        world.status(canister).settings.freezing_threshold,
        3_456_000u64
    );
    let before = world.pic.cycle_balance(canister);
    project.run(&[&"canister", &"top-up", &"counter", &"--amount", &"3t"]);
    let gained = world.pic.cycle_balance(canister) - before;
    assert!(gained > 2_990_000_000_000, "{gained}");

    project.run(&[&"canister", &"stop", &"counter"]);
    assert_eq!(project.status(), "Stopped");
    let snapshot = project.run(&[&"canister", &"snapshot", &"create", &"counter", &"--quiet"]);
    let snapshot = snapshot.trim();
    let listed = project.run(&[&"canister", &"snapshot", &"list", &"counter", &"--quiet"]);
    assert_eq!(listed.lines().next(), Some(snapshot), "{listed}");
    let directory = world.folder.path().join("snapshot");
    project.download(snapshot, &directory);
    let read = |name: &str| std::fs::read(directory.join(name)).unwrap();
    assert_eq!(read("wasm_module.bin"), counter(1));
    assert_eq!(read("stable_memory.bin"), world.stable_memory(canister));
    let heap = read("wasm_memory.bin");
    assert_eq!((heap.len(), heap[7]), (65_536, 2));
    project.run(&[&"canister", &"start", &"counter"]);
    assert_eq!(project.status(), "Running");

    // Upgraded by hand, then by a second deployment: the counter goes on.
    assert!(project.call("inc").contains("(3 : nat64)"));
    let second = world.folder.path().join("second.wasm");
    std::fs::write(&second, counter(2)).unwrap();
    project.run(&[
        &"canister",
        &"install",
        &"counter",
        &"--mode",
        &"upgrade",
        &"--wasm",
        &second,
    ]);
    assert!(project.call("version").contains("(2 : nat64)"));
    assert!(project.call("get").contains("(3 : nat64)"));
    std::fs::write(&project.module, counter(3)).unwrap();
    project.run(&[&"deploy"]);
    assert_eq!(project.canister(), canister);
    assert_eq!(world.module_hash(canister), Some(sha256(&counter(3))));
    assert!(project.call("get").contains("(3 : nat64)"));

    // Back to the snapshot, through the files: what comes back is what went away.
    project.run(&[&"canister", &"stop", &"counter"]);
    let uploaded = project.run(&[
        &"canister",
        &"snapshot",
        &"upload",
        &"counter",
        &"--input",
        &directory,
        &"--quiet",
    ]);
    let uploaded = uploaded.trim();
    assert_ne!(uploaded, snapshot);
    project.run(&[&"canister", &"snapshot", &"restore", &"counter", &uploaded]);
    project.run(&[&"canister", &"start", &"counter"]);
    assert_eq!(world.module_hash(canister), Some(sha256(&counter(1))));
    assert!(project.call("get").contains("(2 : nat64)"));
    let again = world.folder.path().join("again");
    project.download(uploaded, &again);
    for name in ["wasm_module.bin", "wasm_memory.bin", "stable_memory.bin"] {
        assert_eq!(
            std::fs::read(again.join(name)).unwrap(),
            read(name),
            "{name}"
        );
    }
}

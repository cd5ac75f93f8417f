//! A Motoko canister with enhanced orthogonal persistence: 64 bits, and its globals are part of its state.
//!
//! The compiler of today makes no other kind; its flags for the classical kind are gone.

use crate::ic_rescue;
use candid::Principal;
use ic_management_canister_types::{CanisterInstallMode, WasmMemoryPersistence};
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::World;
use tests::cli::Cli;
use tests::hoard::Hoard;

/// An actor with a list; `preupgrade` stumbles over what it holds.
const ACTOR: &str = r#"
persistent actor Notebook {
  type List = ?{ head : Text; tail : List };
  var notes : List = null;
  var total : Nat = 0;
  public func add(text : Text) : async Nat {
    notes := ?{ head = text; tail = notes };
    total += text.size();
    total
  };
  public query func all() : async List { notes };
  public query func size() : async Nat { total };
  HOOK
};
"#;

const BROKEN_HOOK: &str = "system func preupgrade() { assert (total == 0) };";

/// Compiles with the compiler that npm carries as JavaScript.
pub fn compile(folder: &Path, name: &str, actor: &str) -> Vec<u8> {
    let compiler = std::env::var("IC_RESCUE_MOTOKO_DIR")
        .expect("IC_RESCUE_MOTOKO_DIR is not set: run `cargo xtask test`");
    let source = folder.join(format!("{name}.mo"));
    let module: PathBuf = folder.join(format!("{name}.wasm"));
    std::fs::write(&source, actor).unwrap();
    let script = r#"
        const [compiler, source, module] = process.argv.slice(1);
        const fs = require('fs');
        const motoko = require(compiler).default;
        motoko.write('main.mo', fs.readFileSync(source, 'utf8'));
        fs.writeFileSync(module, Buffer.from(motoko.wasm('main.mo', 'ic').wasm));
    "#;
    let output = Command::new("node")
        .arg("-e")
        .arg(script)
        .args([Path::new(&compiler), &source, &module])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::read(module).unwrap()
}

fn add(world: &World, canister: Principal, text: &str) {
    let _: candid::Nat = world
        .update(canister, world.operator.principal, "add", (text,))
        .unwrap();
}

/// The whole list, as candid bytes.
fn all(world: &World, canister: Principal) -> Vec<u8> {
    let arg = candid::encode_args(()).unwrap();
    world
        .pic
        .query_call(canister, world.operator.principal, "all", arg)
        .unwrap()
}

#[test]
fn a_motoko_canister_whose_hook_traps_lives_on() {
    let world = World::new();
    let broken = compile(
        world.folder.path(),
        "broken",
        &ACTOR.replace("HOOK", BROKEN_HOOK),
    );
    let fixed = compile(world.folder.path(), "fixed", &ACTOR.replace("HOOK", ""));
    let arg = candid::encode_args(()).unwrap();
    let canister = world.install(broken.clone(), arg);
    let mut texts: Vec<String> = (0..50)
        .map(|n| format!("note {n}: {}", "x".repeat(n)))
        .collect();
    for text in &texts {
        add(&world, canister, text);
    }
    let before = all(&world, canister);
    let keep = WasmMemoryPersistence::Keep;
    let refusal = world
        .upgrade_with(canister, fixed.clone(), false, keep)
        .unwrap_err();
    assert!(
        refusal.reject_message.contains("assertion failed"),
        "{}",
        refusal.reject_message
    );
    assert_eq!(all(&world, canister), before);

    let hoard = Hoard { canister };
    let deployed = world.folder.path().join("broken.wasm");
    // Off chain the assertion fails, too: said, and what is left to do.
    let (backup, id) = (world.folder.path().join("backup"), canister.to_text());
    Cli::new(&world, &[&"backup", &id, &"-o", &backup, &"--by-snapshot"]).succeed();
    let output = Cli::new(&world, &[&"plan", &id, &"--backup", &backup]).run();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(10), "{said}");
    for words in [
        "assertion failed",
        "--via-snapshot",
        "its queries: all, size",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // Its globals are not what they were at the start, so an upgrade would lose them: said beforehand.
    let said = ic_rescue(&world, "hotfix", hoard, &[&"--module", &deployed]).fail();
    assert!(said.contains("--via-snapshot"), "{said}");
    assert_eq!(world.module_hash(canister), Some(tests::sha256(&broken)));
    assert_eq!(all(&world, canister), before);
    let said = ic_rescue(
        &world,
        "hotfix",
        hoard,
        &[
            &"--module",
            &deployed,
            &"--via-snapshot",
            &"--check",
            &"all",
            &"--check",
            &"size",
        ],
    )
    .succeed();
    assert!(said.contains("2 checks are answered as before"), "{said}");
    assert_eq!(all(&world, canister), before);
    add(&world, canister, "after the hotfix");
    texts.push("after the hotfix".to_string());
    let richer = all(&world, canister);

    // The records move through the canister's own methods into the fixed actor, which upgrades as it should.
    world
        .install_code(canister, fixed.clone(), CanisterInstallMode::Reinstall)
        .unwrap();
    for text in &texts {
        add(&world, canister, text);
    }
    assert_eq!(all(&world, canister), richer);
    world.upgrade_with(canister, fixed, false, keep).unwrap();
    assert_eq!(all(&world, canister), richer);
}

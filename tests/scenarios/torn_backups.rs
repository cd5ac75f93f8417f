//! A canister that changes while it is read: never a success, and the next attempt is one.

use serde_bytes::ByteBuf;
use std::process::Stdio;
use std::time::Duration;
use tests::cli::Cli;
use tests::proxy::{Fault, Proxy};
use tests::{World, wasms};

/// How often the scenario looks whether the download has begun.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Exit code of work that was done and found something.
const FINDINGS: i32 = 3;

fn write(world: &World, canister: candid::Principal, offset: u64, data: Vec<u8>) {
    let sender = world.operator.principal;
    let args = (offset, ByteBuf::from(data));
    let () =
        pocket_ic::update_candid_as(&world.pic, canister, sender, "stable_write", args).unwrap();
}

#[test]
fn a_canister_that_changes_underneath_is_never_a_success() {
    let world = World::new();
    let arg = candid::encode_args(()).unwrap();
    let canister = world.install(wasms::load("patients/endpoints"), arg);
    for mib in 0..4 {
        write(&world, canister, mib << 20, vec![mib as u8 + 1; 1 << 20]);
    }
    let directory = world.folder.path().join("backup");
    let backup = |network: &str| {
        Cli::over(
            &world,
            network,
            &[
                &"backup",
                &canister.to_text(),
                &"--endpoints",
                &"--output",
                &directory,
                &"--workers",
                &"1",
            ],
        )
    };
    // The change is to a chunk that comes late, or to one that is through already: chunk by chunk everything
    // matches then, and only the canister's version tells.
    for offset in [3 << 20, 0] {
        let faults = [Fault::Pass, Fault::Drop, Fault::Drop, Fault::Drop];
        let proxy = Proxy::start(&world.url(), &faults);
        let mut command = backup(proxy.url()).command();
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        while proxy.chunks_seen() < 1 {
            assert!(child.try_wait().unwrap().is_none(), "it ended too early");
            std::thread::sleep(LOOK_EVERY);
        }
        write(&world, canister, offset, vec![0xEE; 100]);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(FINDINGS), "{said}");
        assert!(said.contains("run the same command again"), "{said}");
        let manifest = directory.join("ic-rescue/manifest.json");
        assert!(!manifest.exists(), "nothing was sealed");
        std::fs::remove_dir_all(&directory).unwrap();
    }
    backup(&world.url()).succeed();
    let image = std::fs::read(directory.join("stable_memory.bin")).unwrap();
    assert!(image == world.stable_memory(canister));
}

//! Section 9: installing again and again.

use crate::lab::{KEEP_SKIP, Module, Outcome, install_args, refused};
use crate::modules::{marked, reader, wat};
use candid::Principal;
use ic_management_canister_types::{CanisterInstallMode, UpgradeFlags, WasmMemoryPersistence};
use pocket_ic::{ErrorCode, RejectCode};

const RATE_LIMITED: &str = "is rate limited because it executed too many instructions in the previous install_code \
     messages. Please retry installation after several minutes.";

/// A module whose compilation takes more than the 2 B instructions that a round takes off.
fn large() -> Module {
    let body: String = (0..180_000)
        .map(|number| format!("(drop (i32.const {number}))"))
        .collect();
    let module = wat("large", &format!("(module (memory 0) (func {body}))"));
    Module {
        name: "large".to_owned(),
        ..marked(&module)
    }
}

fn expect_rate_limited(outcome: Outcome) {
    refused(outcome).expect(
        RejectCode::SysTransient,
        ErrorCode::CanisterInstallCodeRateLimited,
        true,
        RATE_LIMITED,
    );
}

facts! {
    fn a_small_module_is_installed_twelve_times_in_a_row(lab) {
        let module = reader("(memory 0)", "");
        let canister = lab.installed("A", &module, b"");
        for _ in 0..12 {
            lab.upgrade(canister, &module, KEEP_SKIP).unwrap();
        }
    }

    fn one_installation_a_round(lab) {
        let module = reader("(memory 0)", "");
        let canister = lab.installed("A", &module, b"");
        let mode = CanisterInstallMode::Upgrade(Some(UpgradeFlags {
            skip_pre_upgrade: Some(true),
            wasm_memory_persistence: Some(WasmMemoryPersistence::Keep),
        }));
        let arg = install_args(canister, mode, &module, b"");
        let messages: Vec<_> = (0..4)
            .map(|_| {
                lab.submit_management(Principal::anonymous(), canister, "install_code", &arg)
                    .unwrap()
            })
            .collect();
        lab.tick(1);
        let mut done = 0;
        // Which of them comes first is the subnet's choice.
        for message in messages {
            match lab.wait(message) {
                Ok(_) => done += 1,
                refusal => expect_rate_limited(refusal),
            }
        }
        assert_eq!(done, 1);
        lab.measured("installations of four in one round", done);
    }

    fn a_large_module_holds_up_the_next_one_for_a_round(lab) {
        let canister = lab.create("A");
        lab.install(canister, &large(), b"").unwrap();
        expect_rate_limited(lab.upgrade(canister, &large(), KEEP_SKIP));
        lab.upgrade(canister, &large(), KEEP_SKIP).unwrap();
    }
}

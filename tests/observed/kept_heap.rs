//! Section 2: `skip_pre_upgrade` with `wasm_memory_persistence = keep`.

use crate::lab::{KEEP_SKIP, Lab, Module, PLAIN, REPLACE_SKIP, Rules, SKIP, refused, sha256};
use crate::modules::{
    MARKER, PAGE, gzip, marked, no_memory, patient, pattern, reader, reader_64, wat, with_section,
};
use candid::Principal;
use ic_management_canister_types as types;
use pocket_ic::{ErrorCode, PocketIcBuilder};

const NO_MARKER: &str = "Invalid upgrade option: The `wasm_memory_persistence: opt Keep` upgrade option requires \
     that the new canister module supports enhanced orthogonal persistence.";
const NO_OPTION: &str = "Missing upgrade option: Enhanced orthogonal persistence requires the \
     `wasm_memory_persistence` upgrade option.";

fn bricked() -> Module {
    patient("unreachable")
}

fn expect_kept(lab: &Lab, canister: Principal) {
    assert!(lab.query(canister, "heap", b"").unwrap() == pattern());
}

fn number(lab: &Lab, canister: Principal, method: &str) -> i64 {
    let reply = lab.query(canister, method, b"").unwrap();
    i64::from_le_bytes(reply.try_into().unwrap())
}

facts! {
    fn a_module_without_the_marker_is_refused(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let plain = wat("unmarked", "(module (memory 0))");
        refused(lab.upgrade(canister, &plain, KEEP_SKIP))
            .expect_error(ErrorCode::CanisterContractViolation, NO_MARKER);
        expect_kept(lab, canister);
        lab.update(canister, "touch", b"").unwrap();
    }

    fn a_memory_of_any_smaller_minimum_keeps_the_heap(lab) {
        for memory in ["(memory 0)", "(memory 1)", "(memory 4)"] {
            let canister = lab.installed("A", &bricked(), b"");
            let stable = lab.stable_memory(canister);
            lab.upgrade(canister, &reader(memory, ""), KEEP_SKIP).unwrap();
            expect_kept(lab, canister);
            assert_eq!(number(lab, canister, "pages"), 4);
            assert_eq!(number(lab, canister, "global"), 41, "the new module's value");
            assert!(lab.stable_memory(canister) == stable);
        }
    }

    // Since August 2026 (dfinity/ic #11168) a kept heap below the declared minimum is refused.
    fn a_larger_minimum_than_the_heap(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let outcome = lab.upgrade(canister, &reader("(memory 17)", ""), KEEP_SKIP);
        if lab.server.rules >= Rules::August2026 {
            let reject = refused(outcome);
            assert!(reject.certified);
            assert!(
                reject.message.contains("is smaller than the minimum Wasm memory"),
                "{}",
                reject.message
            );
            expect_kept(lab, canister);
            return;
        }
        outcome.unwrap();
        assert_eq!(number(lab, canister, "pages"), 17);
        assert!(lab.query(canister, "heap", b"").unwrap() == [pattern(), vec![0; 13 * PAGE]].concat());
        assert_eq!(lab.status(canister).memory_metrics.wasm_memory_size, 262_144u64);
        lab.upgrade(canister, &reader("(memory 0)", ""), KEEP_SKIP).unwrap();
        expect_kept(lab, canister);
    }

    fn a_maximum_equal_to_the_heap_works_but_forbids_growth(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        lab.upgrade(canister, &reader("(memory 1 4)", ""), KEEP_SKIP).unwrap();
        expect_kept(lab, canister);
        assert_eq!(number(lab, canister, "grow"), -1);
        lab.upgrade(canister, &reader("(memory 1)", ""), KEEP_SKIP).unwrap();
        assert_eq!(number(lab, canister, "grow"), 4);
    }

    // Since August 2026 a module without a memory cannot keep a heap that is not empty.
    fn a_module_without_a_memory(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let outcome = lab.upgrade(canister, &no_memory(), KEEP_SKIP);
        if lab.server.rules >= Rules::August2026 {
            let reject = refused(outcome);
            assert!(reject.message.contains("declares no Wasm memory"), "{}", reject.message);
            expect_kept(lab, canister);
            return;
        }
        outcome.unwrap();
        lab.query(canister, "ping", b"").unwrap();
        assert_eq!(lab.status(canister).memory_metrics.wasm_memory_size, 262_144u64);
        lab.upgrade(canister, &reader("(memory 0)", ""), KEEP_SKIP).unwrap();
        expect_kept(lab, canister);
    }

    fn a_module_of_64_bits_shows_a_heap_of_32_and_gives_it_back(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        lab.upgrade(canister, &reader_64(), KEEP_SKIP).unwrap();
        expect_kept(lab, canister);
        lab.upgrade(canister, &reader("(memory 0)", ""), KEEP_SKIP).unwrap();
        expect_kept(lab, canister);
    }

    fn active_data_segments_are_not_applied(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let segments = r#"(data (i32.const 0) "SEGMENT!") (data (i32.const 70000) "ANOTHER")"#;
        lab.upgrade(canister, &reader("(memory 2)", segments), KEEP_SKIP).unwrap();
        expect_kept(lab, canister);
    }

    fn passive_data_segments_work(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let passive = r#"(data $passive "PASSIVE!")
            (func (export "canister_query passive")
                (memory.init $passive (i32.const 100) (i32.const 0) (i32.const 8))
                (call $append (i32.const 100) (i32.const 8))
                (call $reply))"#;
        lab.upgrade(canister, &reader("(memory 0)", passive), KEEP_SKIP).unwrap();
        assert_eq!(lab.query(canister, "passive", b"").unwrap(), b"PASSIVE!");
        expect_kept(lab, canister);
    }

    fn a_start_function_runs_and_its_writes_persist(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let start = "(func $start (i32.store (i32.const 0) (i32.const 0x44332211))) (start $start)";
        lab.upgrade(canister, &reader("(memory 1)", start), KEEP_SKIP).unwrap();
        let heap = lab.query(canister, "heap", b"").unwrap();
        assert_eq!(heap[..4], [0x11, 0x22, 0x33, 0x44]);
        assert!(heap[4..] == pattern()[4..]);
    }

    fn a_trapping_post_upgrade_undoes_the_upgrade(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let before = lab.status(canister).module_hash;
        let hook = r#"(func (export "canister_post_upgrade") (i32.store (i32.const 0) (i32.const 1)) unreachable)"#;
        refused(lab.upgrade(canister, &reader("(memory 1)", hook), KEEP_SKIP))
            .expect_error(ErrorCode::CanisterTrapped, "Canister trapped: unreachable");
        assert_eq!(lab.status(canister).module_hash, before);
        expect_kept(lab, canister);
        assert_eq!(lab.query(canister, "global", b"").unwrap(), 8u64.to_le_bytes());
    }

    fn a_compressed_module_is_installed_under_the_hash_of_its_bytes(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let module = gzip(&reader("(memory 0)", ""));
        lab.upgrade(canister, &module, KEEP_SKIP).unwrap();
        expect_kept(lab, canister);
        assert_eq!(lab.status(canister).module_hash, Some(sha256(&module.bytes)));
    }

    fn a_module_in_chunks_keeps_the_heap(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let module = reader("(memory 0)", "");
        let half = module.bytes.len() / 2;
        let mut hashes = Vec::new();
        for chunk in [&module.bytes[..half], &module.bytes[half..]] {
            let arg = types::UploadChunkArgs { canister_id: canister, chunk: chunk.to_vec() };
            lab.manage(canister, "upload_chunk", &arg).unwrap();
            hashes.push(types::ChunkHash { hash: sha256(chunk) });
        }
        let arg = types::InstallChunkedCodeArgs {
            mode: types::CanisterInstallMode::Upgrade(Some(types::UpgradeFlags {
                skip_pre_upgrade: Some(true),
                wasm_memory_persistence: Some(types::WasmMemoryPersistence::Keep),
            })),
            target_canister: canister,
            store_canister: None,
            chunk_hashes_list: hashes,
            wasm_module_hash: sha256(&module.bytes),
            arg: Vec::new(),
            sender_canister_version: None,
        };
        lab.manage(canister, "install_chunked_code", &arg).unwrap();
        expect_kept(lab, canister);
        assert_eq!(lab.status(canister).module_hash, Some(sha256(&module.bytes)));
    }

    fn replace_gives_a_fresh_heap_and_keeps_stable_memory(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let stable = lab.stable_memory(canister);
        lab.upgrade(canister, &bricked(), REPLACE_SKIP).unwrap();
        assert!(lab.query(canister, "heap", b"").unwrap() == vec![0; 4 * PAGE]);
        assert!(lab.stable_memory(canister) == stable);
    }

    fn a_marked_module_needs_an_option(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let reader = reader("(memory 0)", "");
        lab.upgrade(canister, &reader, KEEP_SKIP).unwrap();
        for upgrade in [PLAIN, SKIP] {
            refused(lab.upgrade(canister, &reader, upgrade))
                .expect_error(ErrorCode::CanisterContractViolation, NO_OPTION);
        }
        // The way back to the original module is barred, that to the original with the marker is open.
        refused(lab.upgrade(canister, &bricked(), KEEP_SKIP))
            .expect_error(ErrorCode::CanisterContractViolation, NO_MARKER);
        lab.upgrade(canister, &marked(&bricked()), KEEP_SKIP).unwrap();
        expect_kept(lab, canister);
        assert_eq!(lab.query(canister, "global", b"").unwrap(), 7u64.to_le_bytes());
    }

    fn a_public_marker_counts_and_one_without_prefix_does_not(lab) {
        let unmarked = wat("unmarked", "(module (memory 0))");
        let canister = lab.installed("A", &bricked(), b"");
        let bare = with_section(&unmarked, "enhanced-orthogonal-persistence", b"");
        refused(lab.upgrade(canister, &bare, KEEP_SKIP))
            .expect_error(ErrorCode::CanisterContractViolation, NO_MARKER);
        let public = with_section(&unmarked, "icp:public enhanced-orthogonal-persistence", b"");
        lab.upgrade(canister, &public, KEEP_SKIP).unwrap();
    }

    fn content_and_place_of_the_marker_do_not_matter(lab) {
        let unmarked = wat("unmarked", "(module (memory 0))");
        let filled = with_section(&unmarked, MARKER, b"some content");
        let mut front = marked(&Module::new("header", unmarked.bytes[..8].to_vec()));
        front.bytes.extend_from_slice(&unmarked.bytes[8..]);
        front.name = "unmarked, marker in front".to_owned();
        for module in [filled, front] {
            let canister = lab.installed("A", &bricked(), b"");
            lab.upgrade(canister, &module, KEEP_SKIP).unwrap();
        }
    }

    fn two_markers_are_refused(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let twice = marked(&reader("(memory 0)", ""));
        refused(lab.upgrade(canister, &twice, KEEP_SKIP)).expect_error(
            ErrorCode::CanisterInvalidWasm,
            "Invalid custom section: name enhanced-orthogonal-persistence already exists.",
        );
        expect_kept(lab, canister);
    }

    fn only_sections_of_the_internet_computer_are_counted(lab) {
        let with_sections = |prefix: &str, count: usize| {
            (0..count).fold(reader("(memory 0)", ""), |module, number| {
                let section = format!("{prefix}{number}");
                Module {
                    name: format!("reader + {prefix}0..{count}"),
                    ..with_section(&module, &section, b"")
                }
            })
        };
        let canister = lab.installed("A", &bricked(), b"");
        lab.upgrade(canister, &with_sections("icp:public s", 15), KEEP_SKIP).unwrap();
        refused(lab.upgrade(canister, &with_sections("icp:public s", 16), KEEP_SKIP)).expect_error(
            ErrorCode::CanisterInvalidWasm,
            "Wasm module defined 17 custom sections which exceeds the maximum number allowed 16.",
        );
        lab.upgrade(canister, &with_sections("other", 40), KEEP_SKIP).unwrap();
        expect_kept(lab, canister);
    }

    fn the_heap_limit_of_the_settings_is_checked(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let reader = reader("(memory 0)", "");
        lab.set(canister, "wasm_memory_limit=100000", |s| {
            s.wasm_memory_limit = Some(100_000u64.into());
        })
        .unwrap();
        refused(lab.upgrade(canister, &reader, KEEP_SKIP)).expect_error(
            ErrorCode::CanisterWasmMemoryLimitExceeded,
            "Canister exceeded its current Wasm memory limit of 100000 bytes. The peak Wasm memory usage was \
             262144 bytes",
        );
        lab.set(canister, "wasm_memory_limit=0", |s| s.wasm_memory_limit = Some(0u64.into()))
            .unwrap();
        lab.upgrade(canister, &reader, KEEP_SKIP).unwrap();
        expect_kept(lab, canister);
    }

    fn a_stopped_canister_is_upgraded_but_answers_nothing(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        lab.simple(canister, "stop_canister").unwrap();
        lab.upgrade(canister, &reader("(memory 0)", ""), KEEP_SKIP).unwrap();
        let id = canister.to_text();
        refused(lab.query(canister, "heap", b"")).expect_query_error(
            ErrorCode::CanisterStopped,
            &format!("Canister {id} is stopped and therefore does not have a CallContextManager"),
        );
        // An update is refused on its way in already.
        refused(lab.update(canister, "heap", b""))
            .expect_query_error(ErrorCode::CanisterStopped, &format!("Canister {id} is stopped"));
        lab.simple(canister, "start_canister").unwrap();
        expect_kept(lab, canister);
    }

    fn the_global_timer_is_deactivated(lab) {
        let patient = marked(&patient(""));
        let canister = lab.installed("A", &patient, b"");
        lab.update(canister, "arm", b"").unwrap();
        lab.upgrade(canister, &patient, KEEP_SKIP).unwrap();
        lab.tick(5);
        expect_kept(lab, canister);
        // Without the upgrade in between it fires.
        lab.update(canister, "arm", b"").unwrap();
        lab.tick(5);
        assert_eq!(lab.query(canister, "heap", b"").unwrap()[4..8], [0xff; 4]);
    }

    fn versions_move_by_upgrades_and_replicated_queries_only(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let version = lab.status(canister).version;
        let module = reader("(memory 0)", "");
        lab.upgrade(canister, &module, KEEP_SKIP).unwrap();
        assert_eq!(lab.status(canister).version, version + 1);
        lab.query(canister, "pages", b"").unwrap();
        assert_eq!(lab.status(canister).version, version + 1);
        lab.update(canister, "pages", b"").unwrap();
        assert_eq!(lab.status(canister).version, version + 2);
        lab.upgrade(canister, &module, KEEP_SKIP).unwrap();
        let status = lab.status(canister);
        assert_eq!(status.version, version + 3);
        assert_eq!(status.module_hash, Some(sha256(&module.bytes)));
    }
}

/// A maximum below the kept heap installs and breaks every execution after. On 10.0.0 the sandbox panics and takes the
/// whole server with it, so this observation has a server of its own; since mid-2026 (dfinity/ic #10593) it is an error.
#[test]
fn a_maximum_below_the_heap_breaks_every_execution() {
    let own = crate::clients_and_rest::OwnServer::start();
    let pic = PocketIcBuilder::new()
        .with_server_url(own.url())
        .with_application_subnet()
        .with_application_subnet()
        .build();
    let lab = Lab::over(pic);
    let canister = lab.installed("A", &bricked(), b"");
    lab.upgrade(canister, &reader("(memory 1 1)", ""), KEEP_SKIP)
        .unwrap();
    if lab.server.rules < Rules::August2026 {
        let query = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            lab.query(canister, "pages", b"")
        }));
        assert!(query.is_err(), "the server should have died: {query:?}");
        // Its instance died with it: there is nothing left to delete.
        std::mem::forget(lab);
        return;
    }
    for _ in 0..2 {
        let reject = refused(lab.query(canister, "pages", b""));
        assert!(
            reject.message.contains("exceeds module's declared maximum"),
            "{}",
            reject.message
        );
    }
    lab.upgrade(canister, &reader("(memory 0)", ""), KEEP_SKIP)
        .unwrap();
    expect_kept(&lab, canister);
}

//! Section 7: snapshots.

use crate::lab::{KEEP_SKIP, Lab, Module, PLAIN, Rules, refused};
use crate::modules::{PAGE, patient, pattern, reader, wat, without_hook};
use candid::Principal;
use ic_management_canister_types as types;
use ic_management_canister_types::{SnapshotDataKind, SnapshotDataOffset, SnapshotMetadataGlobal};
use pocket_ic::{ErrorCode, RejectCode};

fn bricked() -> Module {
    patient("unreachable")
}

/// Five globals: c, a and d exported in this order, b and e not; c and e immutable.
fn globals() -> Module {
    wat(
        "five globals",
        r#"(module
        (memory 1)
        (global $a (mut i32) (i32.const 1))
        (global $b (mut i64) (i64.const 2))
        (global $c i32 (i32.const 3))
        (global $d (mut f64) (f64.const 4))
        (global $e i64 (i64.const 5))
        (export "c" (global $c))
        (export "a" (global $a))
        (export "d" (global $d)))"#,
    )
}

fn module_of(offset: u64, size: u64) -> SnapshotDataKind {
    SnapshotDataKind::WasmModule { offset, size }
}

fn heap_of(offset: u64, size: u64) -> SnapshotDataKind {
    SnapshotDataKind::WasmMemory { offset, size }
}

fn stable_of(offset: u64, size: u64) -> SnapshotDataKind {
    SnapshotDataKind::StableMemory { offset, size }
}

/// Metadata for a snapshot of `module` with these sizes.
fn metadata_for(
    canister: Principal,
    module: &Module,
    heap_bytes: u64,
    stable_bytes: u64,
    globals: Vec<SnapshotMetadataGlobal>,
) -> types::UploadCanisterSnapshotMetadataArgs {
    types::UploadCanisterSnapshotMetadataArgs {
        canister_id: canister,
        replace_snapshot: None,
        wasm_module_size: module.bytes.len() as u64,
        globals,
        wasm_memory_size: heap_bytes,
        stable_memory_size: stable_bytes,
        certified_data: Vec::new(),
        global_timer: None,
        on_low_wasm_memory_hook_status: None,
    }
}

fn upload_module(lab: &Lab, canister: Principal, snapshot: &[u8], module: &Module) {
    let kind = SnapshotDataOffset::WasmModule { offset: 0 };
    lab.upload(canister, snapshot, kind, &module.bytes).unwrap();
}

facts! {
    fn a_bricked_canister_is_snapshotted_running_and_stopped(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let size = |snapshot: &types::Snapshot| snapshot.total_size;
        let running = lab.take(canister, "s1").unwrap();
        lab.simple(canister, "stop_canister").unwrap();
        let stopped = lab.take(canister, "s2").unwrap();
        assert_eq!(size(&running), size(&stopped));
        let data = (4 * PAGE + 2 * PAGE + bricked().bytes.len()) as u64;
        assert!(size(&running) > data && size(&running) < data + 1_000, "{}", size(&running));
    }

    fn ten_snapshots_fit_and_no_more(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let first = lab.take(canister, "s0").unwrap().id;
        for number in 1..10 {
            lab.take(canister, &format!("s{number}")).unwrap();
        }
        let reject = refused(lab.take(canister, "s10"));
        assert!(
            reject.message.contains("has reached the maximum number of snapshots allowed: 10."),
            "{}",
            reject.message
        );
        lab.delete_snapshot(canister, &first).unwrap();
        lab.take(canister, "s11").unwrap();
    }

    // `uninstall_code` is there since December 2025; before, the field is not known and code stays.
    fn uninstalling_while_taking(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        lab.take_with(canister, "s", Some(true)).unwrap();
        let is_empty = lab.status(canister).module_hash.is_none();
        assert_eq!(is_empty, lab.server.rules >= Rules::August2026);
    }

    fn a_snapshot_is_loaded_into_its_canister_at_once(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let stable = lab.stable_memory(canister);
        let snapshot = lab.take(canister, "s").unwrap().id;
        lab.update(canister, "touch", b"").unwrap();
        assert!(lab.query(canister, "heap", b"").unwrap() != pattern());
        lab.load(canister, &snapshot).unwrap();
        assert!(lab.query(canister, "heap", b"").unwrap() == pattern());
        assert_eq!(lab.query(canister, "global", b"").unwrap(), 8u64.to_le_bytes());
        assert!(lab.stable_memory(canister) == stable);
    }

    fn another_canister_loads_it_after_the_next_checkpoint(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let other = lab.create("B");
        let snapshot = lab.take(canister, "s").unwrap().id;
        refused(lab.load(other, &snapshot)).expect(
            RejectCode::CanisterReject,
            ErrorCode::CanisterRejectedMessage,
            true,
            "is not currently loadable on the specified canister",
        );
        lab.tick(500);
        lab.load(other, &snapshot).unwrap();
        assert!(lab.query(other, "heap", b"").unwrap() == pattern());
    }

    fn a_read_takes_two_million_bytes_at_most(lab) {
        let canister = lab.installed("A", &grown(), b"");
        let snapshot = lab.take(canister, "s").unwrap().id;
        let chunk = lab.read(canister, &snapshot, heap_of(0, 2_000_000)).unwrap();
        assert_eq!(chunk.len(), 2_000_000);
        refused(lab.read(canister, &snapshot, heap_of(0, 2_000_001))).expect_payload_error(
            "Requested slice too large: 2000001 > 2000000",
        );
        assert_eq!(lab.read(canister, &snapshot, heap_of(0, 0)).unwrap(), b"");
    }

    fn a_read_past_the_end_is_refused(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let snapshot = lab.take(canister, "s").unwrap().id;
        let module_len = bricked().bytes.len() as u64;
        for (kind, part) in [
            (module_of(module_len - 10, 11), format!("offset: {}, size: 11", module_len - 10)),
            (heap_of(262_134, 11), "offset: 262134, size: 11".to_owned()),
            (stable_of(131_062, 11), "offset: 131062, size: 11".to_owned()),
        ] {
            let text = "Invalid subslice into wasm module / main memory / stable memory: ";
            refused(lab.read(canister, &snapshot, kind))
                .expect_payload_error(&format!("{text}{part}"));
        }
    }

    fn what_is_read_is_what_was_there(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let stable = lab.stable_memory(canister);
        let snapshot = lab.take(canister, "s").unwrap().id;
        let module = bricked().bytes;
        assert!(lab.read(canister, &snapshot, module_of(0, module.len() as u64)).unwrap() == module);
        assert!(lab.read(canister, &snapshot, heap_of(0, 262_144)).unwrap() == pattern());
        assert!(lab.read(canister, &snapshot, stable_of(0, 131_072)).unwrap() == stable);
    }

    fn globals_stand_exported_first_then_the_hidden_mutable_ones(lab) {
        let canister = lab.installed("A", &globals(), b"");
        let snapshot = lab.take(canister, "s").unwrap().id;
        let found: Vec<_> = lab
            .metadata(canister, &snapshot)
            .globals
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(format!("{found:?}"), "[I32(3), I32(1), F64(4.0), I64(2)]");
    }

    fn a_patched_module_is_loaded_with_heap_and_globals(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let taken = lab.take(canister, "taken").unwrap().id;
        let found = lab.metadata(canister, &taken);
        let globals: Vec<_> = found.globals.into_iter().flatten().collect();
        assert_eq!(format!("{globals:?}"), "[I64(8)]");

        let module = without_hook(&bricked(), "canister_pre_upgrade");
        let arg = metadata_for(canister, &module, 262_144, 131_072, globals);
        let uploaded = lab.upload_metadata("uploaded", &arg).unwrap();
        upload_module(lab, canister, &uploaded, &module);
        let kind = SnapshotDataOffset::WasmMemory { offset: 0 };
        lab.upload(canister, &uploaded, kind, &pattern()).unwrap();
        lab.load(canister, &uploaded).unwrap();
        assert!(lab.query(canister, "heap", b"").unwrap() == pattern());
        assert_eq!(lab.query(canister, "global", b"").unwrap(), 8u64.to_le_bytes());
        // What was never uploaded is zero.
        assert!(lab.stable_memory(canister) == vec![0; 131_072]);
        lab.update(canister, "touch", b"").unwrap();
        lab.upgrade(canister, &bricked(), PLAIN).unwrap();
    }

    fn ranges_that_were_never_uploaded_are_zero(lab) {
        let canister = lab.create("A");
        let module = bricked();
        let arg = metadata_for(canister, &module, 262_144, 131_072, vec![SnapshotMetadataGlobal::I64(9)]);
        let snapshot = lab.upload_metadata("s", &arg).unwrap();
        upload_module(lab, canister, &snapshot, &module);
        let kind = SnapshotDataOffset::WasmMemory { offset: 70_000 };
        lab.upload(canister, &snapshot, kind, b"here").unwrap();
        let kind = SnapshotDataOffset::StableMemory { offset: 131_000 };
        lab.upload(canister, &snapshot, kind, b"there").unwrap();
        lab.load(canister, &snapshot).unwrap();
        let mut heap = vec![0; 4 * PAGE];
        heap[70_000..70_004].copy_from_slice(b"here");
        assert!(lab.query(canister, "heap", b"").unwrap() == heap);
        let mut stable = vec![0; 2 * PAGE];
        stable[131_000..131_005].copy_from_slice(b"there");
        assert!(lab.stable_memory(canister) == stable);
    }

    fn wrong_globals_are_refused_on_loading(lab) {
        let canister = lab.create("A");
        let module = bricked();
        for globals in [
            vec![],
            vec![SnapshotMetadataGlobal::I32(8)],
            vec![SnapshotMetadataGlobal::I64(8), SnapshotMetadataGlobal::I64(8)],
        ] {
            let arg = metadata_for(canister, &module, 262_144, 0, globals);
            let snapshot = lab.upload_metadata("s", &arg).unwrap();
            upload_module(lab, canister, &snapshot, &module);
            refused(lab.load(canister, &snapshot)).expect_payload_error(
                "Wasm exported globals of canister module and snapshot metadata do not match.",
            );
        }
    }

    fn a_heap_of_broken_pages_is_refused(lab) {
        let canister = lab.create("A");
        let arg = metadata_for(canister, &bricked(), 262_145, 0, vec![SnapshotMetadataGlobal::I64(8)]);
        let reject = refused(lab.upload_metadata("s", &arg));
        assert!(
            reject.message.contains("Snapshot Metadata contains invalid data: WasmMemoryNotPageAligned"),
            "{}",
            reject.message
        );
    }

    fn a_module_that_was_not_uploaded_is_no_module(lab) {
        let canister = lab.create("A");
        let arg = metadata_for(canister, &bricked(), 262_144, 0, vec![SnapshotMetadataGlobal::I64(8)]);
        let snapshot = lab.upload_metadata("s", &arg).unwrap();
        refused(lab.load(canister, &snapshot)).expect_error(
            ErrorCode::CanisterInvalidWasm,
            "Failed to decode wasm module: unsupported canister module format.",
        );
    }

    // Since August 2026 (dfinity/ic #11118, #11168) a loaded heap has to reach the declared minimum.
    fn a_heap_below_the_declared_minimum(lab) {
        let canister = lab.create("A");
        let module = bricked();
        let arg = metadata_for(canister, &module, 65_536, 0, vec![SnapshotMetadataGlobal::I64(8)]);
        let snapshot = lab.upload_metadata("s", &arg).unwrap();
        upload_module(lab, canister, &snapshot, &module);
        let outcome = lab.load(canister, &snapshot);
        if lab.server.rules >= Rules::August2026 {
            let reject = refused(outcome);
            assert!(
                reject.message.contains("is smaller than the minimum Wasm memory"),
                "{}",
                reject.message
            );
            assert_eq!(lab.status(canister).module_hash, None);
            return;
        }
        outcome.unwrap();
        assert_eq!(lab.query(canister, "heap", b"").unwrap().len(), 262_144);
    }

    fn a_taken_snapshot_cannot_be_written(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let snapshot = lab.take(canister, "s").unwrap().id;
        let kind = SnapshotDataOffset::WasmMemory { offset: 0 };
        let reject = refused(lab.upload(canister, &snapshot, kind, b"x"));
        assert_eq!(reject.error, ErrorCode::CanisterSnapshotImmutable);
        assert!(
            reject.message.contains("Only canister snapshots created by metadata upload can be mutated."),
            "{}",
            reject.message
        );
    }

    fn an_upload_takes_two_million_bytes(lab) {
        let canister = lab.create("A");
        let arg = metadata_for(canister, &bricked(), 2_097_152, 0, vec![SnapshotMetadataGlobal::I64(8)]);
        let snapshot = lab.upload_metadata("s", &arg).unwrap();
        let kind = SnapshotDataOffset::WasmMemory { offset: 0 };
        lab.upload(canister, &snapshot, kind, &vec![7; 2_000_000]).unwrap();
        let body = crate::clients_and_rest::upload_body(canister, &snapshot, 2_096_900);
        let (status, _) = crate::lab::post(&lab.pic, "update/submit_ingress_message", &body);
        assert_eq!(status, 400);
    }

    fn taking_right_after_much_was_written_is_refused_for_a_while(lab) {
        let canister = lab.installed("A", &writer(), b"");
        lab.update(canister, "fill", b"").unwrap();
        let reject = refused(lab.take(canister, "s"));
        assert_eq!(reject.error, ErrorCode::CanisterHeapDeltaRateLimited);
        assert!(reject.message.contains("but limit is 78643200"), "{}", reject.message);
        lab.tick(5);
        lab.take(canister, "s").unwrap();
    }

    fn a_swap_is_undone_by_loading_the_snapshot_from_before(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let hash = lab.status(canister).module_hash;
        let snapshot = lab.take(canister, "s").unwrap().id;
        lab.upgrade(canister, &reader("(memory 0)", ""), KEEP_SKIP).unwrap();
        lab.load(canister, &snapshot).unwrap();
        assert_eq!(lab.status(canister).module_hash, hash);
        assert!(lab.query(canister, "heap", b"").unwrap() == pattern());
        assert_eq!(lab.query(canister, "global", b"").unwrap(), 8u64.to_le_bytes());
        refused(lab.upgrade(canister, &bricked(), PLAIN))
            .expect_error(ErrorCode::CanisterTrapped, "unreachable");
    }

    // PocketIC has these endpoints since 16.
    fn the_server_moves_snapshots_through_folders(lab) {
        let canister = lab.installed("A", &bricked(), b"");
        let chunk = types::UploadChunkArgs { canister_id: canister, chunk: b"a chunk".to_vec() };
        lab.manage(canister, "upload_chunk", &chunk).unwrap();
        let anonymous = Principal::anonymous();
        let snapshot = lab.take(canister, "s").unwrap().id;
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("snapshot");
        if lab.server.rules < Rules::August2026 {
            let (status, _) = crate::lab::post(
                &lab.pic,
                "update/canister_snapshot_download",
                &serde_json::json!({}),
            );
            assert_eq!(status, 404);
            return;
        }
        lab.pic.canister_snapshot_download(canister, anonymous, snapshot, folder.clone());
        assert!(std::fs::read(folder.join("wasm_module.bin")).unwrap() == bricked().bytes);
        assert!(std::fs::read(folder.join("wasm_memory.bin")).unwrap() == pattern());
        let stable = std::fs::read(folder.join("stable_memory.bin")).unwrap();
        assert!(stable == lab.stable_memory(canister));

        let other = lab.create("B");
        let uploaded = lab.pic.canister_snapshot_upload(other, anonymous, None, folder.clone());
        lab.load(other, &uploaded).unwrap();
        assert!(lab.query(other, "heap", b"").unwrap() == pattern());
        assert_eq!(lab.query(other, "global", b"").unwrap(), 8u64.to_le_bytes());
        assert!(lab.stable_memory(other) == stable);
        let stored = lab.pic.stored_chunks(other, None).unwrap();
        assert_eq!(stored.len(), 1);
        let again = lab.pic.canister_snapshot_upload(
            other,
            anonymous,
            Some(uploaded.clone()),
            folder,
        );
        let left = lab.pic.list_canister_snapshots(other, None).unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].id, again);
    }

    fn taking_and_reading_cost_by_the_byte(lab) {
        let canister = lab.installed("A", &grown(), b"");
        let mut snapshot = None;
        let taken = lab.cycles_spent(canister, "taking 2 MiB", || {
            snapshot = Some(lab.take(canister, "s").unwrap());
        });
        let snapshot = snapshot.unwrap();
        // 2 B and the size in instructions, 5 M for the execution; the rest is the message's way in.
        let executed = 2_005_000_000 + u128::from(snapshot.total_size);
        assert!((executed..executed + 2_000_000).contains(&taken), "{taken}");
        let read = lab.cycles_spent(canister, "reading 2 MB", || {
            lab.read(canister, &snapshot.id, heap_of(0, 2_000_000)).unwrap();
        });
        assert!((13_600_000..13_800_000).contains(&read), "{read}");
    }
}

/// A heap of 2 MiB.
fn grown() -> Module {
    wat("2 MiB", "(module (memory 32))")
}

/// `fill` writes 256 MiB.
fn writer() -> Module {
    wat(
        "writer",
        r#"(module
        (import "ic0" "msg_reply" (func $reply))
        (memory 4096)
        (func (export "canister_update fill")
            (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x10000000))
            (call $reply)))"#,
    )
}

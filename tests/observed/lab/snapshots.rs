//! The operations about snapshots.

use super::Lab;
use super::calls::shown_done;
use super::outcome::{Outcome, render, render_reject};
use candid::{Decode, Principal};
use ic_management_canister_types as types;
use pocket_ic::RejectResponse;

impl Lab {
    /// `take_canister_snapshot`; the snapshot is called `name` from here on.
    pub fn take(&self, canister: Principal, name: &str) -> Result<types::Snapshot, RejectResponse> {
        self.take_with(canister, name, None)
    }

    /// The same with `uninstall_code`.
    pub fn take_with(
        &self,
        canister: Principal,
        name: &str,
        uninstall_code: Option<bool>,
    ) -> Result<types::Snapshot, RejectResponse> {
        let arg = types::TakeCanisterSnapshotArgs {
            canister_id: canister,
            replace_snapshot: None,
            uninstall_code,
            sender_canister_version: None,
        };
        let outcome = self
            .manage(canister, "take_canister_snapshot", &arg)
            .map(|reply| Decode!(&reply, types::Snapshot).unwrap());
        let uninstall =
            uninstall_code.map_or_else(String::new, |flag| format!(" uninstall_code={flag}"));
        let operation = format!(
            "take snapshot {name} of {}{uninstall}",
            self.shown(canister)
        );
        match &outcome {
            Ok(snapshot) => {
                self.named(&snapshot.id, name);
                self.note(operation, &format!("ok total_size {}", snapshot.total_size));
            }
            Err(reject) => self.note(operation, &render_reject(reject)),
        }
        outcome
    }

    fn named(&self, id: &[u8], name: &str) {
        let shown = format!("<snapshot {name}>");
        self.transcript.borrow_mut().name(hex::encode(id), shown);
    }

    /// `load_canister_snapshot`.
    pub fn load(&self, canister: Principal, snapshot: &[u8]) -> Outcome {
        let arg = types::LoadCanisterSnapshotArgs {
            canister_id: canister,
            snapshot_id: snapshot.to_vec(),
            sender_canister_version: None,
        };
        let outcome = self.manage(canister, "load_canister_snapshot", &arg);
        self.note(
            format!(
                "load {} into {}",
                hex::encode(snapshot),
                self.shown(canister)
            ),
            &shown_done(&outcome),
        );
        outcome
    }

    /// `delete_canister_snapshot`.
    pub fn delete_snapshot(&self, canister: Principal, snapshot: &[u8]) -> Outcome {
        let arg = types::DeleteCanisterSnapshotArgs {
            canister_id: canister,
            snapshot_id: snapshot.to_vec(),
        };
        let outcome = self.manage(canister, "delete_canister_snapshot", &arg);
        self.note(
            format!("delete {}", hex::encode(snapshot)),
            &shown_done(&outcome),
        );
        outcome
    }

    /// `read_canister_snapshot_data`: the chunk.
    pub fn read(
        &self,
        canister: Principal,
        snapshot: &[u8],
        kind: types::SnapshotDataKind,
    ) -> Outcome {
        let operation = format!("read {} {kind:?}", hex::encode(snapshot));
        let arg = types::ReadCanisterSnapshotDataArgs {
            canister_id: canister,
            snapshot_id: snapshot.to_vec(),
            kind,
        };
        let outcome = self
            .manage(canister, "read_canister_snapshot_data", &arg)
            .map(|reply| {
                let result = Decode!(&reply, types::ReadCanisterSnapshotDataResult).unwrap();
                result.chunk
            });
        self.note(operation, &render(&outcome));
        outcome
    }

    /// `read_canister_snapshot_metadata`.
    pub fn metadata(
        &self,
        canister: Principal,
        snapshot: &[u8],
    ) -> types::ReadCanisterSnapshotMetadataResult {
        let arg = types::ReadCanisterSnapshotMetadataArgs {
            canister_id: canister,
            snapshot_id: snapshot.to_vec(),
        };
        let reply = self
            .manage(canister, "read_canister_snapshot_metadata", &arg)
            .unwrap();
        let metadata = Decode!(&reply, types::ReadCanisterSnapshotMetadataResult).unwrap();
        self.note(
            format!("metadata of {}", hex::encode(snapshot)),
            &format!(
                "module {} heap {} stable {} version {} globals {:?}",
                metadata.wasm_module_size,
                metadata.wasm_memory_size,
                metadata.stable_memory_size,
                metadata.canister_version,
                metadata.globals.iter().flatten().collect::<Vec<_>>(),
            ),
        );
        metadata
    }

    /// `upload_canister_snapshot_metadata`: the id of the new snapshot, called `name` from here on.
    pub fn upload_metadata(
        &self,
        name: &str,
        arg: &types::UploadCanisterSnapshotMetadataArgs,
    ) -> Result<Vec<u8>, RejectResponse> {
        let outcome = self
            .manage(arg.canister_id, "upload_canister_snapshot_metadata", arg)
            .map(|reply| {
                let result = Decode!(&reply, types::UploadCanisterSnapshotMetadataResult).unwrap();
                result.snapshot_id
            });
        if let Ok(id) = &outcome {
            self.named(id, name);
        }
        let shown = match &outcome {
            Ok(_) => "ok".to_owned(),
            Err(reject) => render_reject(reject),
        };
        let operation = format!(
            "upload metadata of {name}: module {} heap {} stable {} globals {:?}",
            arg.wasm_module_size, arg.wasm_memory_size, arg.stable_memory_size, arg.globals
        );
        self.note(operation, &shown);
        outcome
    }

    /// `upload_canister_snapshot_data`.
    pub fn upload(
        &self,
        canister: Principal,
        snapshot: &[u8],
        kind: types::SnapshotDataOffset,
        chunk: &[u8],
    ) -> Outcome {
        let operation = format!(
            "upload to {} {kind:?} {} bytes",
            hex::encode(snapshot),
            chunk.len()
        );
        let arg = types::UploadCanisterSnapshotDataArgs {
            canister_id: canister,
            snapshot_id: snapshot.to_vec(),
            kind,
            chunk: chunk.to_vec(),
        };
        let outcome = self.manage(canister, "upload_canister_snapshot_data", &arg);
        self.note(operation, &shown_done(&outcome));
        outcome
    }
}

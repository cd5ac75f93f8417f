//! Does the steps of a scenario and collects what differs from the record.

use std::collections::BTreeMap;

use candid::{Decode, Encode, Nat, Principal};
use ic_management_canister_types as types;
use replica::core::api::{EffectivePrincipal, RejectResponse};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Difference;
use crate::compare::{Names, brief, matches};
use crate::modules::Modules;
use crate::network::{Call, Network, Refusal, Ticket};

/// Replies longer than this are recorded by their hash, in bytes.
const LONG_REPLY_BYTES: usize = 700;

/// What a step gave.
pub enum Answer {
    /// The decoded fields the record has for this operation.
    Fields(Value),
    /// The reply's bytes.
    Bytes(Vec<u8>),
    /// A reject.
    Reject(RejectResponse),
    /// A refusal of the server.
    Http(u64, String),
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Reject(reject) => Answer::Reject(reject),
            Refusal::Http(status, body) => Answer::Http(status, body),
        }
    }
}

impl Answer {
    /// The answer in the form of a recorded outcome: ids by their names, texts exact.
    pub fn outcome(&self, names: &Names) -> Value {
        match self {
            Answer::Fields(fields) => names.mask_value(fields),
            Answer::Bytes(bytes) if bytes.len() > LONG_REPLY_BYTES => json!({
                "ok_sha256": hex::encode(Sha256::digest(bytes)),
                "ok_len": bytes.len(),
            }),
            Answer::Bytes(bytes) => json!({ "ok_hex": names.mask(&hex::encode(bytes)) }),
            Answer::Reject(reject) => json!({
                "reject_code": format!("{:?}", reject.reject_code),
                "error_code": format!("{:?}", reject.error_code),
                "certified": reject.certified,
                "message": names.mask(&reject.reject_message),
            }),
            Answer::Http(status, body) => json!({ "http": status, "message": names.mask(body) }),
        }
    }
}

/// One scenario under way.
pub struct Run<'a> {
    world: &'a mut dyn Network,
    modules: &'a Modules,
    canisters: BTreeMap<String, Principal>,
    snapshots: BTreeMap<String, Vec<u8>>,
    messages: BTreeMap<String, Ticket>,
    chunks: BTreeMap<String, Vec<u8>>,
}

/// Does all steps of a scenario and compares each with its recorded outcome.
pub fn run(world: &mut dyn Network, modules: &Modules, scenario: &Value) -> Vec<Difference> {
    let mut run = Run::new(world, modules);
    let mut differences = Vec::new();
    for (number, step) in scenario["steps"].as_array().unwrap().iter().enumerate() {
        let answer = run.play(step);
        if let Some((is_hard, what)) = run.compare(step, answer) {
            differences.push(Difference {
                step: number,
                is_hard,
                what: format!("{} {what}", step["op"]),
            });
        }
    }
    differences
}

fn text<'a>(step: &'a Value, key: &str) -> &'a str {
    step[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} in {step}"))
}

fn done() -> Result<Answer, Answer> {
    Ok(Answer::Fields(json!({ "ok": true })))
}

impl<'a> Run<'a> {
    /// A scenario that is about to begin.
    pub fn new(world: &'a mut dyn Network, modules: &'a Modules) -> Self {
        Run {
            world,
            modules,
            canisters: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            messages: BTreeMap::new(),
            chunks: BTreeMap::new(),
        }
    }

    /// Does one step.
    pub fn play(&mut self, step: &Value) -> Answer {
        match self.step(step) {
            Ok(answer) | Err(answer) => answer,
        }
    }

    fn principal(&self, name: &str) -> Principal {
        let user = |first: u8| {
            let mut bytes: Vec<u8> = (first..first + 28).collect();
            bytes.push(2);
            Principal::from_slice(&bytes)
        };
        match name {
            "anon" => Principal::anonymous(),
            "u1" => user(1),
            "u2" => user(31),
            name => match self.canisters.get(name) {
                Some(id) => *id,
                None => Principal::from_slice(&hex::decode(name).unwrap()),
            },
        }
    }

    fn canister(&self, step: &Value) -> Principal {
        self.principal(text(step, "canister"))
    }

    fn sender(&self, step: &Value) -> Principal {
        self.principal(step["sender"].as_str().unwrap_or("anon"))
    }

    fn snapshot(&self, name: &str) -> Vec<u8> {
        match self.snapshots.get(name) {
            Some(id) => id.clone(),
            // A label without an id is that of a snapshot that could not be taken.
            None => hex::decode(name).unwrap_or_else(|_| vec![0; 18]),
        }
    }

    fn chunk_hash(&self, name: &str) -> Vec<u8> {
        match self.chunks.get(name) {
            Some(hash) => hash.clone(),
            None => hex::decode(name).unwrap_or_else(|_| vec![0; 32]),
        }
    }

    fn arg(&self, step: &Value) -> Vec<u8> {
        let mut recorded = step["arg_hex"].as_str().unwrap_or("").to_owned();
        for (label, id) in &self.canisters {
            recorded = recorded.replace(&format!("{{{label}}}"), &hex::encode(id.as_slice()));
        }
        let mut arg = hex::decode(&recorded).unwrap_or_else(|_| panic!("{recorded}"));
        if let Some(length) = step["arg_pad_to"].as_u64() {
            arg.resize(length as usize, 0);
        }
        arg
    }

    fn bytes(&self, step: &Value) -> Vec<u8> {
        if let Some(text) = step["hex"].as_str() {
            return hex::decode(text).unwrap();
        }
        if let Some(fill) = step["fill"].as_array() {
            return vec![fill[1].as_u64().unwrap() as u8; fill[0].as_u64().unwrap() as usize];
        }
        let module = &self.modules[text(step, "module")];
        match step["slice"].as_array() {
            Some(range) => {
                let end = (range[1].as_u64().unwrap() as usize).min(module.len());
                module[range[0].as_u64().unwrap() as usize..end].to_vec()
            }
            None => module.clone(),
        }
    }

    /// The ids of this run by their names.
    pub fn names(&self) -> Names {
        let mut replacements = Vec::new();
        for (label, id) in &self.canisters {
            replacements.push((format!("<canister:{label}>"), id.to_text()));
            replacements.push((format!("{{{label}}}"), hex::encode(id.as_slice())));
            replacements.push((format!("{{{label}.text}}"), hex::encode(id.to_text())));
        }
        for (label, id) in &self.snapshots {
            replacements.push((format!("<snapshot:{label}>"), hex::encode(id)));
        }
        let subnets = self.world.subnets();
        for (number, id) in subnets.iter().enumerate() {
            // The recorded instance numbered its subnets by its default, which comes last here.
            let number = subnets.len() - 1 - number;
            replacements.push((format!("<subnet:{number}>"), id.to_text()));
            replacements.push((
                format!("{{subnet{number}.text}}"),
                hex::encode(id.to_text()),
            ));
        }
        Names { replacements }
    }

    fn manage(&mut self, step: &Value, method: &str, arg: Vec<u8>) -> Result<Vec<u8>, Answer> {
        let (sender, canister) = (self.sender(step), self.canister(step));
        let call = Call::management(sender, canister, method, arg);
        Ok(self.world.update(&call)?)
    }

    fn call(&self, step: &Value) -> Call {
        let (sender, canister) = (self.sender(step), self.canister(step));
        Call::canister(sender, canister, text(step, "method"), self.arg(step))
    }

    fn simple(&mut self, step: &Value, method: &str) -> Result<Answer, Answer> {
        let canister_id = self.canister(step);
        let arg = Encode!(&types::CanisterIdRecord { canister_id }).unwrap();
        if let Some(label) = step["submit"].as_str() {
            let call = Call::management(self.sender(step), canister_id, method, arg);
            let id = self.world.submit(&call)?;
            self.messages.insert(label.to_owned(), id);
            return done();
        }
        self.manage(step, method, arg)?;
        done()
    }

    fn mode(step: &Value) -> types::CanisterInstallMode {
        match text(step, "mode") {
            "install" => types::CanisterInstallMode::Install,
            "reinstall" => types::CanisterInstallMode::Reinstall,
            _ => {
                let skip = step["skip_pre_upgrade"].as_bool();
                let persistence = step["wasm_memory_persistence"].as_str();
                let is_plain = skip.is_none() && persistence.is_none();
                types::CanisterInstallMode::Upgrade((!is_plain).then(|| types::UpgradeFlags {
                    skip_pre_upgrade: skip,
                    wasm_memory_persistence: persistence.map(|kind| match kind {
                        "keep" => types::WasmMemoryPersistence::Keep,
                        _ => types::WasmMemoryPersistence::Replace,
                    }),
                }))
            }
        }
    }

    fn step(&mut self, step: &Value) -> Result<Answer, Answer> {
        match text(step, "op") {
            "create" => self.create(step),
            "install" => {
                let arg = Encode!(&types::InstallCodeArgs {
                    mode: Self::mode(step),
                    canister_id: self.canister(step),
                    wasm_module: self.modules[text(step, "module")].clone(),
                    arg: self.arg(step),
                    sender_canister_version: None,
                })
                .unwrap();
                self.manage(step, "install_code", arg)?;
                done()
            }
            "install_chunked" => self.install_chunked(step),
            "update" => {
                let reply = self.world.update(&self.call(step))?;
                Ok(Answer::Bytes(reply))
            }
            "query" => {
                let reply = self.world.query(&self.call(step))?;
                Ok(Answer::Bytes(reply))
            }
            "submit" => {
                let id = self.world.submit(&self.call(step))?;
                self.messages.insert(text(step, "label").to_owned(), id);
                done()
            }
            "await" => {
                let id = self.messages[text(step, "label")];
                match self.world.wait(id) {
                    Ok(bytes) => Ok(Answer::Bytes(bytes)),
                    Err(reject) => Err(Answer::Reject(reject)),
                }
            }
            "ingress_status" => {
                let Some(id) = self.messages.get(text(step, "label")).copied() else {
                    return Ok(Answer::Fields(json!({ "submitted": false })));
                };
                match self.world.status(id) {
                    None => Ok(Answer::Fields(json!({ "pending": true }))),
                    Some(Ok(bytes)) => Ok(Answer::Bytes(bytes)),
                    Some(Err(reject)) => Err(Answer::Reject(reject)),
                }
            }
            "stop" => self.simple(step, "stop_canister"),
            "start" => self.simple(step, "start_canister"),
            "delete" => self.simple(step, "delete_canister"),
            "uninstall" => self.simple(step, "uninstall_code"),
            "clear_chunk_store" => self.simple(step, "clear_chunk_store"),
            "status" => self.status(step),
            "update_settings" => self.update_settings(step),
            "tick" => {
                for _ in 0..step["n"].as_u64().unwrap() {
                    self.world.round();
                }
                done()
            }
            "advance_time" => {
                self.world.advance_time(step["nanos"].as_u64().unwrap());
                done()
            }
            "stable_memory" => {
                let canister = self.canister(step);
                let memory = self.world.stable_memory(&canister)?;
                let nonzero = memory.iter().filter(|byte| **byte != 0).count();
                Ok(Answer::Fields(json!({
                    "len": memory.len(),
                    "sha256": hex::encode(Sha256::digest(&memory)),
                    "nonzero": nonzero,
                })))
            }
            "cycles" => {
                let cycles = self.world.cycles(&self.canister(step))?;
                Ok(Answer::Fields(json!({ "cycles": cycles.to_string() })))
            }
            "set_stable_memory" => {
                let (canister, bytes) = (self.canister(step), self.bytes(step));
                self.world.set_stable_memory(&canister, &bytes)?;
                done()
            }
            "logs" => self.logs(step),
            "raw_mgmt" => {
                let reply = self.manage(step, text(step, "method"), self.arg(step))?;
                Ok(Answer::Bytes(reply))
            }
            "upload_chunk" => {
                let chunk = self.bytes(step);
                let digest = Sha256::digest(&chunk).to_vec();
                let arg = Encode!(&types::UploadChunkArgs {
                    canister_id: self.canister(step),
                    chunk,
                })
                .unwrap();
                let reply = self.manage(step, "upload_chunk", arg)?;
                let hash = Decode!(&reply, types::ChunkHash).unwrap().hash;
                let is_digest = hash == digest;
                self.chunks.insert(text(step, "label").to_owned(), hash);
                Ok(Answer::Fields(
                    json!({ "ok": true, "hash_is_sha256": is_digest }),
                ))
            }
            "stored_chunks" => {
                let arg = Encode!(&types::CanisterIdRecord {
                    canister_id: self.canister(step)
                })
                .unwrap();
                let reply = self.manage(step, "stored_chunks", arg)?;
                let stored = Decode!(&reply, Vec<types::ChunkHash>).unwrap();
                let mut labels: Vec<String> = stored
                    .iter()
                    .map(|chunk| {
                        let mut known = self.chunks.iter().rev();
                        known
                            .find(|(_, hash)| **hash == chunk.hash)
                            .map_or_else(|| hex::encode(&chunk.hash), |(l, _)| l.clone())
                    })
                    .collect();
                labels.sort();
                Ok(Answer::Fields(json!({ "chunks": labels })))
            }
            op => self.snapshot_step(op, step),
        }
    }

    fn create(&mut self, step: &Value) -> Result<Answer, Answer> {
        let amount = step["cycles"].as_u64().unwrap_or(1_000_000_000_000_000);
        let arg = Encode!(&types::ProvisionalCreateCanisterWithCyclesArgs {
            amount: Some(Nat::from(amount)),
            settings: None,
            specified_id: None,
            sender_canister_version: None,
        })
        .unwrap();
        let number = step["subnet"].as_u64().unwrap_or(0) as usize;
        let subnets = self.world.subnets();
        let subnet = subnets[subnets.len() - 1 - number];
        let reply = self.world.update(&Call {
            sender: self.sender(step),
            receiver: Principal::management_canister(),
            effective: EffectivePrincipal::Subnet(subnet),
            method: "provisional_create_canister_with_cycles".to_owned(),
            arg,
        })?;
        let id = Decode!(&reply, types::CanisterIdRecord)
            .unwrap()
            .canister_id;
        self.canisters.insert(text(step, "label").to_owned(), id);
        done()
    }

    fn install_chunked(&mut self, step: &Value) -> Result<Answer, Answer> {
        let chunks = step["chunks"].as_array().unwrap();
        let hash = match step["wasm_module_hash"].as_str() {
            Some(text) => hex::decode(text).unwrap(),
            None => Sha256::digest(&self.modules[text(step, "hash_of")]).to_vec(),
        };
        let arg = Encode!(&types::InstallChunkedCodeArgs {
            mode: Self::mode(step),
            target_canister: self.canister(step),
            store_canister: step["store"].as_str().map(|name| self.principal(name)),
            chunk_hashes_list: chunks
                .iter()
                .map(|name| types::ChunkHash {
                    hash: self.chunk_hash(name.as_str().unwrap()),
                })
                .collect(),
            wasm_module_hash: hash,
            arg: self.arg(step),
            sender_canister_version: None,
        })
        .unwrap();
        self.manage(step, "install_chunked_code", arg)?;
        done()
    }

    fn status(&mut self, step: &Value) -> Result<Answer, Answer> {
        let arg = Encode!(&types::CanisterIdRecord {
            canister_id: self.canister(step)
        })
        .unwrap();
        let reply = self.manage(step, "canister_status", arg)?;
        let status = Decode!(&reply, types::CanisterStatusResult).unwrap();
        let recorded = step["outcome"]["module"].as_str();
        let module = status.module_hash.map(|hash| {
            self.modules
                .iter()
                .filter(|(name, _)| recorded.is_none_or(|recorded| recorded == name.as_str()))
                .chain(self.modules.iter())
                .find(|(_, module)| Sha256::digest(module).to_vec() == hash)
                .map_or_else(|| hex::encode(&hash), |(name, _)| name.clone())
        });
        let number = |nat: &Nat| json!(u128::try_from(&nat.0).unwrap() as u64);
        let metrics = &status.memory_metrics;
        let settings = &status.settings;
        let fields = record_fields(&reply);
        Ok(Answer::Fields(json!({
            "status": match status.status {
                types::CanisterStatusType::Running => "running",
                types::CanisterStatusType::Stopping => "stopping",
                types::CanisterStatusType::Stopped => "stopped",
            },
            "version": status.version,
            "module": module,
            "wasm_memory_size": number(&metrics.wasm_memory_size),
            "stable_memory_size": number(&metrics.stable_memory_size),
            "fields": fields,
            "memory_metrics_fields": [
                "canister_history_size", "custom_sections_size", "global_memory_size",
                "snapshots_size", "stable_memory_size", "wasm_binary_size",
                "wasm_chunk_store_size", "wasm_memory_size",
            ],
            "ready_for_migration": status.ready_for_migration,
            "reserved_cycles": number(&status.reserved_cycles),
            "global_memory_size": number(&metrics.global_memory_size),
            "canister_history_size": number(&metrics.canister_history_size),
            "chunk_store_size": number(&metrics.wasm_chunk_store_size),
            "snapshots_size_positive": metrics.snapshots_size > 0u8,
            "query_stats": {
                "num_calls_total": number(&status.query_stats.num_calls_total),
                "num_instructions_total": number(&status.query_stats.num_instructions_total),
                "request_payload_bytes_total":
                    number(&status.query_stats.request_payload_bytes_total),
                "response_payload_bytes_total":
                    number(&status.query_stats.response_payload_bytes_total),
            },
            "settings": {
                "compute_allocation": number(&settings.compute_allocation),
                "controllers": settings.controllers.iter().map(|c| {
                    self.canisters.iter().find(|(_, id)| *id == c).map_or_else(
                        || hex::encode(c.as_slice()),
                        |(label, _)| format!("<canister:{label}>"),
                    )
                }).collect::<Vec<_>>(),
                "environment_variables": [],
                "freezing_threshold": number(&settings.freezing_threshold),
                "log_memory_limit": number(&settings.log_memory_limit),
                "log_visibility": match &settings.log_visibility {
                    types::LogVisibility::Controllers => json!({ "controllers": null }),
                    types::LogVisibility::Public => json!({ "public": null }),
                    types::LogVisibility::AllowedViewers(_) => json!({ "allowed_viewers": null }),
                },
                "memory_allocation": number(&settings.memory_allocation),
                "reserved_cycles_limit": number(&settings.reserved_cycles_limit),
                "wasm_memory_limit": number(&settings.wasm_memory_limit),
                "wasm_memory_threshold": number(&settings.wasm_memory_threshold),
            },
        })))
    }

    fn update_settings(&mut self, step: &Value) -> Result<Answer, Answer> {
        let asked = step["settings"].as_object().unwrap();
        let number = |key: &str| {
            asked.get(key).map(|value| {
                // Numbers beyond 64 bits are powers of two, which floating point holds exactly.
                let text = match value.as_u64() {
                    Some(number) => number.to_string(),
                    None => format!("{:.0}", value.as_f64().unwrap()),
                };
                Nat::parse(text.as_bytes()).unwrap_or_else(|_| panic!("{key}: {text}"))
            })
        };
        let settings = types::CanisterSettings {
            controllers: asked.get("controllers").map(|list| {
                list.as_array()
                    .unwrap()
                    .iter()
                    .map(|name| self.principal(name.as_str().unwrap()))
                    .collect()
            }),
            compute_allocation: number("compute_allocation"),
            memory_allocation: number("memory_allocation"),
            freezing_threshold: number("freezing_threshold"),
            reserved_cycles_limit: number("reserved_cycles_limit"),
            wasm_memory_limit: number("wasm_memory_limit"),
            wasm_memory_threshold: number("wasm_memory_threshold"),
            log_visibility: asked
                .get("log_visibility")
                .map(|kind| self.visibility(kind)),
            ..Default::default()
        };
        let arg = Encode!(&types::UpdateSettingsArgs {
            canister_id: self.canister(step),
            settings,
            sender_canister_version: None,
        })
        .unwrap();
        self.manage(step, "update_settings", arg)?;
        done()
    }

    fn visibility(&self, kind: &Value) -> types::LogVisibility {
        if kind == "public" || kind.get("public").is_some() {
            return types::LogVisibility::Public;
        }
        match kind.get("allowed_viewers").and_then(Value::as_array) {
            Some(viewers) => types::LogVisibility::AllowedViewers(
                viewers
                    .iter()
                    .map(|name| self.principal(name.as_str().unwrap()))
                    .collect(),
            ),
            None => types::LogVisibility::Controllers,
        }
    }

    fn logs(&mut self, step: &Value) -> Result<Answer, Answer> {
        let canister_id = self.canister(step);
        let arg = Encode!(&types::FetchCanisterLogsArgs {
            canister_id,
            filter: None,
        })
        .unwrap();
        let sender = self.sender(step);
        let call = Call::management(sender, canister_id, "fetch_canister_logs", arg);
        let reply = self.world.query(&call)?;
        let logs = Decode!(&reply, types::FetchCanisterLogsResult).unwrap();
        let records: Vec<Value> = logs
            .canister_log_records
            .iter()
            .map(|record| json!([record.idx, String::from_utf8_lossy(&record.content)]))
            .collect();
        Ok(Answer::Fields(json!({ "records": records })))
    }

    fn snapshot_step(&mut self, op: &str, step: &Value) -> Result<Answer, Answer> {
        let canister_id = self.canister(step);
        match op {
            "take_snapshot" => {
                let arg = Encode!(&types::TakeCanisterSnapshotArgs {
                    canister_id,
                    replace_snapshot: step["replace"].as_str().map(|name| self.snapshot(name)),
                    uninstall_code: None,
                    sender_canister_version: None,
                })
                .unwrap();
                let reply = self.manage(step, "take_canister_snapshot", arg)?;
                let snapshot = Decode!(&reply, types::Snapshot).unwrap();
                self.snapshots
                    .insert(text(step, "label").to_owned(), snapshot.id);
                Ok(Answer::Fields(json!({
                    "ok": true,
                    "fields": ["id", "taken_at_timestamp", "total_size"],
                })))
            }
            "load_snapshot" => {
                let arg = Encode!(&types::LoadCanisterSnapshotArgs {
                    canister_id,
                    snapshot_id: self.snapshot(text(step, "snapshot")),
                    sender_canister_version: None,
                })
                .unwrap();
                self.manage(step, "load_canister_snapshot", arg)?;
                done()
            }
            "delete_snapshot" => {
                let arg = Encode!(&types::DeleteCanisterSnapshotArgs {
                    canister_id,
                    snapshot_id: self.snapshot(text(step, "snapshot")),
                })
                .unwrap();
                self.manage(step, "delete_canister_snapshot", arg)?;
                done()
            }
            "list_snapshots" => {
                let arg = Encode!(&types::CanisterIdRecord { canister_id }).unwrap();
                let reply = self.manage(step, "list_canister_snapshots", arg)?;
                let list = Decode!(&reply, Vec<types::Snapshot>).unwrap();
                let labels: Vec<String> = list
                    .iter()
                    .map(|snapshot| {
                        let known = self.snapshots.iter().find(|(_, id)| **id == snapshot.id);
                        known.map_or_else(|| hex::encode(&snapshot.id), |(l, _)| l.clone())
                    })
                    .collect();
                let fields: &[&str] = match labels.is_empty() {
                    true => &[],
                    false => &["id", "taken_at_timestamp", "total_size"],
                };
                Ok(Answer::Fields(
                    json!({ "snapshots": labels, "fields": fields }),
                ))
            }
            "snapshot_metadata" => self.snapshot_metadata(step),
            "snapshot_read" => {
                let (offset, size) = (
                    step["offset"].as_u64().unwrap_or(0),
                    step["size"].as_u64().unwrap_or(0),
                );
                let kind = match text(step, "kind") {
                    "wasm_module" => types::SnapshotDataKind::WasmModule { offset, size },
                    "wasm_memory" => types::SnapshotDataKind::WasmMemory { offset, size },
                    "stable_memory" => types::SnapshotDataKind::StableMemory { offset, size },
                    _ => types::SnapshotDataKind::WasmChunk {
                        hash: self.chunk_hash(text(step, "hash")),
                    },
                };
                let arg = Encode!(&types::ReadCanisterSnapshotDataArgs {
                    canister_id,
                    snapshot_id: self.snapshot(text(step, "snapshot")),
                    kind,
                })
                .unwrap();
                let reply = self.manage(step, "read_canister_snapshot_data", arg)?;
                let chunk = Decode!(&reply, types::ReadCanisterSnapshotDataResult).unwrap();
                Ok(Answer::Bytes(chunk.chunk))
            }
            "snapshot_upload_metadata" => self.upload_metadata(step),
            "snapshot_upload_data" => {
                let offset = step["offset"].as_u64().unwrap_or(0);
                let kind = match text(step, "kind") {
                    "wasm_module" => types::SnapshotDataOffset::WasmModule { offset },
                    "wasm_memory" => types::SnapshotDataOffset::WasmMemory { offset },
                    "stable_memory" => types::SnapshotDataOffset::StableMemory { offset },
                    _ => types::SnapshotDataOffset::WasmChunk,
                };
                let arg = Encode!(&types::UploadCanisterSnapshotDataArgs {
                    canister_id,
                    snapshot_id: self.snapshot(text(step, "snapshot")),
                    kind,
                    chunk: self.bytes(step),
                })
                .unwrap();
                self.manage(step, "upload_canister_snapshot_data", arg)?;
                done()
            }
            op => panic!("unknown step {op}"),
        }
    }

    fn snapshot_metadata(&mut self, step: &Value) -> Result<Answer, Answer> {
        let arg = Encode!(&types::ReadCanisterSnapshotMetadataArgs {
            canister_id: self.canister(step),
            snapshot_id: self.snapshot(text(step, "snapshot")),
        })
        .unwrap();
        let reply = self.manage(step, "read_canister_snapshot_metadata", arg)?;
        let metadata = Decode!(&reply, types::ReadCanisterSnapshotMetadataResult).unwrap();
        let chunks: Vec<Value> = metadata
            .wasm_chunk_store
            .iter()
            .map(|chunk| json!({ "hash": hex::encode(&chunk.hash) }))
            .collect();
        let globals: Vec<Value> = metadata
            .globals
            .iter()
            .map(|global| match global.as_ref().unwrap() {
                types::SnapshotMetadataGlobal::I32(value) => json!({ "i32": value }),
                types::SnapshotMetadataGlobal::I64(value) => json!({ "i64": value }),
                types::SnapshotMetadataGlobal::F32(value) => json!({ "f32": value }),
                types::SnapshotMetadataGlobal::F64(value) => json!({ "f64": value }),
                types::SnapshotMetadataGlobal::V128(value) => {
                    let value = u128::try_from(&value.0).unwrap();
                    match u64::try_from(value) {
                        Ok(value) => json!({ "v128": value }),
                        Err(_) => json!({ "v128": value as f64 }),
                    }
                }
            })
            .collect();
        Ok(Answer::Fields(json!({
            "canister_version": metadata.canister_version,
            "certified_data": hex::encode(metadata.certified_data),
            "global_timer": metadata.global_timer.map(|timer| match timer {
                types::CanisterTimer::Inactive => json!({ "inactive": null }),
                types::CanisterTimer::Active(time) => json!({ "active": time }),
            }),
            "globals": globals,
            "on_low_wasm_memory_hook_status": metadata.on_low_wasm_memory_hook_status.map(|hook| {
                match hook {
                    types::OnLowWasmMemoryHookStatus::ConditionNotSatisfied => {
                        json!({ "condition_not_satisfied": null })
                    }
                    types::OnLowWasmMemoryHookStatus::Ready => json!({ "ready": null }),
                    types::OnLowWasmMemoryHookStatus::Executed => json!({ "executed": null }),
                }
            }),
            "source": metadata.source.map(|source| match source {
                types::SnapshotSource::TakenFromCanister(_) => "taken_from_canister",
                types::SnapshotSource::MetadataUpload(_) => "metadata_upload",
            }),
            "stable_memory_size": metadata.stable_memory_size,
            "wasm_chunk_store": chunks,
            "wasm_memory_size": metadata.wasm_memory_size,
        })))
    }

    fn upload_metadata(&mut self, step: &Value) -> Result<Answer, Answer> {
        let globals = step["globals"].as_array().unwrap().iter().map(|global| {
            match global[0].as_str().unwrap() {
                "i32" => types::SnapshotMetadataGlobal::I32(global[1].as_i64().unwrap() as i32),
                "i64" => types::SnapshotMetadataGlobal::I64(global[1].as_i64().unwrap()),
                "f32" => types::SnapshotMetadataGlobal::F32(global[1].as_f64().unwrap() as f32),
                "f64" => types::SnapshotMetadataGlobal::F64(global[1].as_f64().unwrap()),
                _ => types::SnapshotMetadataGlobal::V128(Nat::from(global[1].as_u64().unwrap())),
            }
        });
        let arg = Encode!(&types::UploadCanisterSnapshotMetadataArgs {
            canister_id: self.canister(step),
            replace_snapshot: step["replace"].as_str().map(|name| self.snapshot(name)),
            wasm_module_size: step["wasm_module_size"]
                .as_u64()
                .unwrap_or_else(|| self.modules[text(step, "module")].len() as u64),
            globals: globals.collect(),
            wasm_memory_size: step["wasm_memory_size"].as_u64().unwrap(),
            stable_memory_size: step["stable_memory_size"].as_u64().unwrap(),
            certified_data: hex::decode(step["certified_data"].as_str().unwrap_or("")).unwrap(),
            global_timer: match &step["global_timer"] {
                Value::Null => None,
                Value::Number(time) => Some(types::CanisterTimer::Active(time.as_u64().unwrap())),
                _ => Some(types::CanisterTimer::Inactive),
            },
            on_low_wasm_memory_hook_status: step["hook"].as_str().map(|hook| match hook {
                "ready" => types::OnLowWasmMemoryHookStatus::Ready,
                "executed" => types::OnLowWasmMemoryHookStatus::Executed,
                _ => types::OnLowWasmMemoryHookStatus::ConditionNotSatisfied,
            }),
        })
        .unwrap();
        let reply = self.manage(step, "upload_canister_snapshot_metadata", arg)?;
        let result = Decode!(&reply, types::UploadCanisterSnapshotMetadataResult).unwrap();
        self.snapshots
            .insert(text(step, "label").to_owned(), result.snapshot_id);
        done()
    }

    /// What differs, and whether it is more than a text.
    fn compare(&self, step: &Value, answer: Answer) -> Option<(bool, String)> {
        let recorded = &step["outcome"];
        if recorded["any"] == true {
            return None;
        }
        let names = self.names();
        let how = recorded["message_match"].as_str().unwrap_or("exact");
        match answer {
            Answer::Reject(reject) => {
                let codes = json!({
                    "reject_code": format!("{:?}", reject.reject_code),
                    "error_code": format!("{:?}", reject.error_code),
                    "certified": reject.certified,
                });
                for key in ["reject_code", "error_code", "certified"] {
                    if codes[key] != recorded[key] {
                        let text = &reject.reject_message;
                        return Some((
                            true,
                            format!("gave {codes} {text:?}, recorded {}", brief(recorded)),
                        ));
                    }
                }
                let expected = names.fill(recorded["message"].as_str().unwrap());
                (!matches(&expected, how, &reject.reject_message)).then(|| {
                    (
                        false,
                        format!(
                            "said {:?}\n      recorded {expected:?}",
                            reject.reject_message
                        ),
                    )
                })
            }
            Answer::Http(status, body) => {
                if recorded["http"] != json!(status) {
                    return Some((
                        true,
                        format!("refused {status} {body}, recorded {}", brief(recorded)),
                    ));
                }
                let expected = names.fill(recorded["message"].as_str().unwrap());
                (!matches(&expected, how, &body))
                    .then(|| (false, format!("said {body:?}\n      recorded {expected:?}")))
            }
            Answer::Bytes(bytes) => {
                let is_same = if let Some(expected) = recorded["ok_hex"].as_str() {
                    names.fill(expected) == hex::encode(&bytes)
                } else if let Some(digest) = recorded["ok_sha256"].as_str() {
                    digest == hex::encode(Sha256::digest(&bytes))
                        && recorded["ok_len"] == json!(bytes.len())
                } else {
                    recorded.get("ok").is_some()
                };
                (!is_same).then(|| {
                    let shown: Vec<u8> = bytes.iter().copied().take(300).collect();
                    (
                        true,
                        format!(
                            "gave {} {:?}\n      recorded {}",
                            hex::encode(&shown),
                            String::from_utf8_lossy(&shown),
                            brief(recorded)
                        ),
                    )
                })
            }
            Answer::Fields(fields) => {
                let wrong = subset("", recorded, &fields, &names)?;
                Some((true, wrong))
            }
        }
    }
}

/// The first field of the record that the answer has otherwise.
fn subset(path: &str, recorded: &Value, given: &Value, names: &Names) -> Option<String> {
    match (recorded, given) {
        (Value::Object(recorded), Value::Object(given)) => {
            recorded.iter().find_map(|(key, value)| {
                let path = format!("{path}.{key}");
                if key == "controller" {
                    return None;
                }
                match given.get(key) {
                    Some(found) => subset(&path, value, found, names),
                    None => Some(format!("has no {path}, recorded {}", brief(value))),
                }
            })
        }
        (Value::Array(recorded), Value::Array(given)) if path.ends_with("fields") => {
            let missing: Vec<_> = recorded
                .iter()
                .filter(|name| !given.contains(name))
                .collect();
            (!missing.is_empty()).then(|| format!("{path} lacks {missing:?}"))
        }
        (Value::Array(recorded), Value::Array(found)) => {
            if recorded.len() != found.len() {
                return Some(format!(
                    "{path} is {}, recorded {}",
                    brief(given),
                    brief(&json!(recorded))
                ));
            }
            recorded
                .iter()
                .zip(found)
                .enumerate()
                .find_map(|(at, (recorded, given))| {
                    subset(&format!("{path}[{at}]"), recorded, given, names)
                })
        }
        (Value::String(recorded), _) if recorded == "<time>" => None,
        (Value::String(recorded), Value::String(given)) => {
            let recorded = names.fill(recorded);
            let is_same = match recorded.strip_suffix("...") {
                Some(start) => given.starts_with(start),
                None => recorded == names.fill(given),
            };
            (!is_same).then(|| format!("{path} is {given:?}, recorded {recorded:?}"))
        }
        (recorded, given) => (recorded != given)
            .then(|| format!("{path} is {}, recorded {}", brief(given), brief(recorded))),
    }
}

/// Names of the fields of the record a reply holds: their hashes stand in its type table.
fn record_fields(reply: &[u8]) -> Vec<String> {
    const NAMES: [&str; 14] = [
        "balance",
        "controller",
        "cycles",
        "freezing_threshold",
        "idle_cycles_burned_per_day",
        "memory_metrics",
        "memory_size",
        "module_hash",
        "query_stats",
        "ready_for_migration",
        "reserved_cycles",
        "settings",
        "status",
        "version",
    ];
    NAMES
        .iter()
        .filter(|name| {
            let mut hash = u64::from(candid::idl_hash(name));
            let mut coded = Vec::new();
            while hash > 0x7f {
                coded.push(hash as u8 | 0x80);
                hash >>= 7;
            }
            coded.push(hash as u8);
            reply.windows(coded.len()).any(|window| window == coded)
        })
        .map(|name| (*name).to_owned())
        .collect()
}

//! Random scenarios: a few canisters, some twenty steps, and a look at everything in the end.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::script::{Context, dump, script};

const LABELS: [&str; 2] = ["A", "B"];
const UNIVERSAL: [&str; 7] = ["V1", "V2", "V1m", "V2m", "V1g", "V1", "V2m"];
const ODD: [&str; 6] = ["V2s", "V2sm", "bare", "tablem", "readerm", "broken"];

struct Writer {
    rng: StdRng,
    steps: Vec<Value>,
    submitted: usize,
    snapshots: Vec<(String, &'static str)>,
    chunks: usize,
}

/// The scenario of a seed.
pub fn scenario(seed: u64) -> Value {
    let mut writer = Writer {
        rng: StdRng::seed_from_u64(seed),
        steps: Vec::new(),
        submitted: 0,
        snapshots: Vec::new(),
        chunks: 0,
    };
    writer.set_up();
    for _ in 0..writer.rng.random_range(6..20) {
        writer.step();
    }
    writer.look();
    json!({ "name": format!("seed {seed}"), "fresh": true, "steps": writer.steps })
}

impl Writer {
    fn push(&mut self, step: Value) {
        self.steps.push(step);
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.rng.random_range(0..count) == 0
    }

    fn label(&mut self) -> &'static str {
        match self.one_in(3) {
            true => "B",
            false => "A",
        }
    }

    fn module(&mut self) -> &'static str {
        match self.one_in(4) {
            true => ODD[self.rng.random_range(0..ODD.len())],
            false => UNIVERSAL[self.rng.random_range(0..UNIVERSAL.len())],
        }
    }

    fn script(&mut self, context: Context) -> String {
        script(&mut self.rng, context, 0, &LABELS).hex
    }

    fn set_up(&mut self) {
        let subnet = u32::from(self.one_in(2));
        for (label, subnet) in [("A", 0), ("B", subnet)] {
            self.push(json!({ "op": "create", "label": label, "subnet": subnet }));
            let module = UNIVERSAL[self.rng.random_range(0..UNIVERSAL.len())];
            let arg = match self.one_in(2) {
                true => self.script(Context::Init),
                false => String::new(),
            };
            self.push(json!({
                "op": "install", "canister": label, "module": module, "mode": "install",
                "arg_hex": arg,
            }));
        }
    }

    fn step(&mut self) {
        let canister = self.label();
        match self.rng.random_range(0..42) {
            0..=7 => self.call("update", canister),
            8..=10 => self.call("query", canister),
            11..=14 => self.submit(canister),
            15..=19 => self.install(canister),
            20 => self.push(json!({ "op": "uninstall", "canister": canister })),
            21 => {
                let label = format!("t{}", self.submitted);
                self.submitted += 1;
                self.push(json!({ "op": "stop", "canister": canister, "submit": label }));
                self.push(json!({ "op": "tick", "n": 1 }));
            }
            22 => self.push(json!({ "op": "stop", "canister": canister })),
            23..=24 => self.push(json!({ "op": "start", "canister": canister })),
            25 => {
                if self.one_in(4) {
                    self.push(json!({ "op": "delete", "canister": canister }));
                }
            }
            26..=31 => self.snapshot(canister),
            32..=33 => self.settings(canister),
            34 => self.chunk(canister),
            35 => {
                let nanos: u64 = self.rng.random_range(0..3) * 7_000_000_000 + 5;
                self.push(json!({ "op": "advance_time", "nanos": nanos }));
            }
            36 => {
                let sender = self.sender();
                self.push(json!({ "op": "logs", "canister": canister, "sender": sender }));
            }
            38 => self.upload(canister),
            39 => {
                let fill = [self.rng.random_range(0..200_000), 7];
                self.push(json!({ "op": "set_stable_memory", "canister": canister, "fill": fill }));
            }
            37 => self.push(json!({ "op": "status", "canister": canister })),
            _ => {
                let n = self.rng.random_range(1..4);
                self.push(json!({ "op": "tick", "n": n }));
            }
        }
    }

    fn sender(&mut self) -> &'static str {
        match self.rng.random_range(0..12) {
            0 => "u1",
            _ => "anon",
        }
    }

    fn call(&mut self, op: &str, canister: &str) {
        let (method, context) = match self.rng.random_range(0..10) {
            0..=1 => ("q", Context::Query),
            2 => ("cq", Context::Query),
            3 if op == "query" => ("u", Context::Update),
            _ if op == "query" => ("q", Context::Query),
            _ => ("u", Context::Update),
        };
        let (arg, sender) = (self.script(context), self.sender());
        self.push(json!({
            "op": op, "canister": canister, "method": method, "arg_hex": arg, "sender": sender,
        }));
    }

    fn submit(&mut self, canister: &str) {
        let label = format!("m{}", self.submitted);
        self.submitted += 1;
        let arg = self.script(Context::Update);
        self.push(json!({
            "op": "submit", "canister": canister, "method": "u", "arg_hex": arg, "label": label,
        }));
        // Messages that wait at the same time are taken in an order of the server's own.
        self.push(json!({ "op": "tick", "n": 1 }));
    }

    fn install(&mut self, canister: &str) {
        let mode =
            ["install", "reinstall", "upgrade", "upgrade", "upgrade"][self.rng.random_range(0..5)];
        let (module, arg) = (self.module(), self.script(Context::Init));
        let mut step = json!({
            "op": "install", "canister": canister, "module": module, "mode": mode, "arg_hex": arg,
        });
        if mode == "upgrade" {
            if self.one_in(2) {
                step["skip_pre_upgrade"] = json!(self.one_in(2));
            }
            match self.rng.random_range(0..3) {
                0 => step["wasm_memory_persistence"] = json!("keep"),
                1 => step["wasm_memory_persistence"] = json!("replace"),
                _ => {}
            }
        }
        if self.one_in(10) {
            step["sender"] = json!("u1");
        }
        self.push(step);
    }

    fn snapshot(&mut self, canister: &'static str) {
        let known = match self.snapshots.len() {
            0 => None,
            count => Some(self.snapshots[self.rng.random_range(0..count)].clone()),
        };
        let (snapshot, owner) = match known {
            Some(known) if !self.one_in(3) => known,
            _ => {
                let label = format!("s{}", self.snapshots.len());
                self.push(json!({ "op": "take_snapshot", "canister": canister, "label": label }));
                // Taking may fail; a label without a snapshot would be no snapshot id.
                self.snapshots.push((label, canister));
                return;
            }
        };
        let canister = match self.one_in(5) {
            true => canister,
            false => owner,
        };
        let about = |op: &str| json!({ "op": op, "canister": canister, "snapshot": snapshot });
        let step = match self.rng.random_range(0..8) {
            0..=3 => about("load_snapshot"),
            4 => about("delete_snapshot"),
            5 => json!({ "op": "list_snapshots", "canister": canister }),
            6 => about("snapshot_metadata"),
            _ => {
                let mut step = about("snapshot_read");
                let kind = ["wasm_memory", "stable_memory"][self.rng.random_range(0..2)];
                step["kind"] = json!(kind);
                step["offset"] = json!(self.rng.random_range(0..3) * 40_000);
                step["size"] = json!(self.rng.random_range(0..3) * 50_000);
                step
            }
        };
        self.push(step);
    }

    /// A snapshot made by hand.
    fn upload(&mut self, canister: &'static str) {
        let label = format!("s{}", self.snapshots.len());
        let module = UNIVERSAL[self.rng.random_range(0..UNIVERSAL.len())];
        let heap_pages = [4, 4, 5, 0][self.rng.random_range(0..4)];
        let stable_pages = self.rng.random_range(0..3);
        let globals = match self.one_in(6) {
            true => json!([["i32", 1]]),
            false => json!([["i32", 1], ["i32", 5], ["i64", 6]]),
        };
        let mut step = json!({
            "op": "snapshot_upload_metadata", "canister": canister, "label": label,
            "module": module, "globals": globals, "wasm_memory_size": heap_pages * 65_536,
            "stable_memory_size": stable_pages * 65_536,
        });
        if self.one_in(3) {
            step["global_timer"] = json!(1);
        }
        self.push(step);
        let place = |kind: &str| {
            json!({
                "op": "snapshot_upload_data", "canister": canister, "snapshot": label, "kind": kind,
            })
        };
        let mut upload = place("wasm_module");
        upload["module"] = json!(module);
        if !self.one_in(8) {
            self.push(upload);
        }
        let mut upload = place(["wasm_memory", "stable_memory"][self.rng.random_range(0..2)]);
        upload["fill"] = json!([1_000, 9]);
        upload["offset"] = json!(self.rng.random_range(0..3) * 64_900);
        self.push(upload);
        self.push(json!({ "op": "load_snapshot", "canister": canister, "snapshot": label }));
        self.snapshots.push((label, canister));
    }

    fn settings(&mut self, canister: &str) {
        let settings = match self.rng.random_range(0..10) {
            7..=8 => json!({ "controllers": ["anon", "A", "B"] }),
            9 => json!({ "wasm_memory_limit": 300_000, "wasm_memory_threshold": 250_000 }),
            0 => json!({ "wasm_memory_limit": 262_144 }),
            1 => json!({ "wasm_memory_limit": 0 }),
            2 => json!({ "wasm_memory_limit": 400_000, "wasm_memory_threshold": 100_000 }),
            3 => json!({ "controllers": ["anon", "u1"] }),
            4 => json!({ "log_visibility": "public" }),
            5 => json!({ "memory_allocation": 20_000_000 }),
            _ => json!({ "freezing_threshold": 1_000 }),
        };
        self.push(json!({ "op": "update_settings", "canister": canister, "settings": settings }));
    }

    fn chunk(&mut self, canister: &str) {
        let label = format!("c{}", self.chunks);
        self.chunks += 1;
        self.push(json!({
            "op": "upload_chunk", "canister": canister, "label": label, "module": "V2",
        }));
        let step = match self.rng.random_range(0..3) {
            0 => json!({ "op": "stored_chunks", "canister": canister }),
            1 => json!({ "op": "clear_chunk_store", "canister": canister }),
            _ => json!({
                "op": "install_chunked", "canister": canister, "mode": "upgrade",
                "skip_pre_upgrade": true, "chunks": [label], "hash_of": "V2",
            }),
        };
        self.push(step);
    }

    fn look(&mut self) {
        self.push(json!({ "op": "tick", "n": 6 }));
        for number in 0..self.submitted {
            for kind in ["m", "t"] {
                let label = format!("{kind}{number}");
                let is_known = self
                    .steps
                    .iter()
                    .any(|step| step["label"] == label || step["submit"] == label);
                if is_known {
                    self.push(json!({ "op": "ingress_status", "label": label }));
                }
            }
        }
        for canister in LABELS {
            self.push(json!({ "op": "cycles", "canister": canister }));
            self.push(json!({ "op": "status", "canister": canister }));
            self.push(json!({ "op": "logs", "canister": canister }));
            self.push(json!({ "op": "stable_memory", "canister": canister }));
            self.push(json!({ "op": "start", "canister": canister }));
            self.push(json!({
                "op": "query", "canister": canister, "method": "q", "arg_hex": dump().hex,
            }));
        }
    }
}

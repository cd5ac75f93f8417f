//! Scenarios that vary one thing: every import in every pointer width, odd modules, and management calls with odd
//! arguments, by odd callers, about canisters in odd states.

use serde_json::{Value, json};

/// Imports as `name: parameters -> results`, `p` for a pointer, `l` for i64, `i` for i32.
const IMPORTS: &str = "msg_arg_data_size:->p msg_arg_data_copy:ppp-> msg_caller_size:->p msg_caller_copy:ppp-> \
    msg_reject_code:->i msg_reject_msg_size:->p msg_reject_msg_copy:ppp-> msg_deadline:->l \
    msg_reply_data_append:pp-> msg_reply:-> msg_reject:pp-> canister_self_size:->p canister_self_copy:ppp-> \
    subnet_self_size:->p subnet_self_copy:ppp-> canister_status:->i canister_version:->l msg_method_name_size:->p \
    msg_method_name_copy:ppp-> accept_message:-> stable64_size:->l stable64_grow:l->l stable64_write:lll-> \
    stable64_read:lll-> stable_size:->i stable_grow:i->i stable_read:iii-> stable_write:iii-> \
    certified_data_set:pp-> data_certificate_present:->i data_certificate_size:->p data_certificate_copy:ppp-> \
    time:->l global_timer_set:l->l performance_counter:i->l is_controller:pp->i in_replicated_execution:->i \
    canister_cycle_balance128:p-> canister_liquid_cycle_balance128:p-> msg_cycles_available128:p-> \
    msg_cycles_refunded128:p-> msg_cycles_accept128:llp-> cycles_burn128:llp-> call_new:pppppppp-> \
    call_on_cleanup:pp-> call_data_append:pp-> call_with_best_effort_response:i-> call_perform:->i \
    call_cycles_add128:ll-> root_key_size:->p root_key_copy:ppp-> cost_call:llp-> cost_create_canister:p-> \
    cost_http_request:llp-> cost_http_request_v2:ppp-> cost_sign_with_ecdsa:ppip->i cost_sign_with_schnorr:ppip->i \
    cost_vetkd_derive_key:ppip->i env_var_count:->p env_var_name_size:p->p env_var_name_copy:pppp-> \
    env_var_name_exists:pp->i env_var_value_size:pp->p env_var_value_copy:ppppp-> debug_print:pp-> trap:pp-> \
    msg_cycles_available:->l msg_cycles_refunded:->l msg_cycles_accept:l->l canister_cycle_balance:->l \
    call_cycles_add:l-> mint_cycles:l->l mint_cycles128:llp-> subnet_self_node_count:->i call_simple:pppppppppp->i \
    controller_size:->p controller_copy:ppp-> msg_caller_info_data_size:->p msg_caller_info_signer_size:->p";

/// Modules that are odd in one way.
const ODD: &[(&str, &str)] = &[
    (
        "multi value",
        "(func (result i32 i32) i32.const 1 i32.const 2)",
    ),
    ("tail call", "(func $f) (func return_call $f)"),
    (
        "sign extension",
        "(func (drop (i32.extend8_s (i32.const 1))))",
    ),
    (
        "saturating",
        "(func (drop (i32.trunc_sat_f32_s (f32.const 1))))",
    ),
    (
        "extended const",
        "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
    ),
    (
        "relaxed simd",
        "(func (drop (i32x4.relaxed_trunc_f32x4_s (v128.const i32x4 0 0 0 0))))",
    ),
    ("shared memory", "(memory 1 2 shared)"),
    (
        "atomics",
        "(memory 1) (func (drop (i32.atomic.load (i32.const 0))))",
    ),
    ("table of 64 bits", "(table i64 1 funcref)"),
    ("two tables", "(table 1 funcref) (table 1 funcref)"),
    ("large table", "(table 1000000 funcref)"),
    ("larger table", "(table 10000001 funcref)"),
    ("exported table", "(table (export \"t\") 1 funcref)"),
    ("exported memory", "(memory (export \"m\") 1)"),
    ("memory without pages", "(memory 0 0)"),
    ("memory of all pages", "(memory 65536)"),
    ("memory64 of 98304 pages", "(memory i64 98304)"),
    ("memory64 of 98305 pages", "(memory i64 98305)"),
    (
        "start with result",
        "(func $s (result i32) i32.const 1) (start $s)",
    ),
    ("start traps", "(func $s unreachable) (start $s)"),
    ("imported memory", "(import \"env\" \"memory\" (memory 1))"),
    (
        "imported ic0 memory",
        "(import \"ic0\" \"memory\" (memory 1))",
    ),
    ("imported global", "(import \"ic0\" \"g\" (global i32))"),
    ("imported table", "(import \"ic0\" \"t\" (table 1 funcref))"),
    (
        "import of nobody",
        "(import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32 i32 i32 i32) (result i32)))",
    ),
    (
        "import of engine",
        "(import \"__\" \"out_of_instructions\" (func))",
    ),
    (
        "export canister_inspect_message",
        "(func (export \"canister_inspect_message\"))",
    ),
    (
        "export canister_heartbeat",
        "(func (export \"canister_heartbeat\"))",
    ),
    (
        "export canister_start",
        "(func (export \"canister_start\"))",
    ),
    (
        "export canister_post_upgrade with parameter",
        "(func (export \"canister_post_upgrade\") (param i32))",
    ),
    (
        "export canister_query without name",
        "(func (export \"canister_query\"))",
    ),
    (
        "export canister_query and a space",
        "(func (export \"canister_query \"))",
    ),
    (
        "export of a name with spaces",
        "(func (export \"canister_query a b c\"))",
    ),
    (
        "three kinds of one name",
        "(func $f) (export \"canister_query a\" (func $f)) (export \"canister_composite_query a\" (func $f))",
    ),
    (
        "update and composite of one name",
        "(func $f) (export \"canister_update a\" (func $f)) (export \"canister_composite_query a\" (func $f))",
    ),
    (
        "global named like a method",
        "(global (export \"canister_update g\") i32 (i32.const 1))",
    ),
    (
        "memory named like a method",
        "(memory (export \"canister_update m\") 1)",
    ),
    ("hidden export", "(func (export \"__internal\"))"),
    (
        "export stable_memory",
        "(memory (export \"stable_memory\") 1)",
    ),
    (
        "export canister counter",
        "(global (export \"canister counter_instructions\") (mut i64) (i64.const 0))",
    ),
    (
        "passive element",
        "(table 1 funcref) (func $f) (elem func $f)",
    ),
    (
        "declared element",
        "(func $f) (elem declare func $f) (func (drop (ref.func $f)))",
    ),
    (
        "element by expression",
        "(table 1 funcref) (func $f) (elem (i32.const 0) funcref (ref.func $f))",
    ),
    (
        "element at a global",
        "(import \"ic0\" \"g\" (global $g i32)) (table 1 funcref) (func $f) (elem (global.get $g) $f)",
    ),
    (
        "data at a global",
        "(global $g i32 (i32.const 1)) (memory 1) (data (global.get $g) \"a\")",
    ),
    ("data without memory", "(data (i32.const 0) \"a\")"),
    (
        "empty data at the end",
        "(memory 1) (data (i32.const 65536) \"\")",
    ),
    (
        "empty data past the end",
        "(memory 1) (data (i32.const 65537) \"\")",
    ),
    (
        "global of a function",
        "(func $f) (global funcref (ref.func $f))",
    ),
    ("global of null", "(global (mut funcref) (ref.null func))"),
    (
        "global from global",
        "(global $a i32 (i32.const 1)) (global $b i32 (global.get $a))",
    ),
    (
        "vector global",
        "(global (mut v128) (v128.const i32x4 1 2 3 4))",
    ),
    (
        "float globals",
        "(global (mut f32) (f32.const nan)) (global (mut f64) (f64.const -0))",
    ),
    (
        "many locals",
        "(func (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64))",
    ),
    (
        "many parameters",
        "(func (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64))",
    ),
    (
        "memory.discard",
        "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))",
    ),
    (
        "table.grow",
        "(table 1 funcref) (func (drop (table.grow 0 (ref.null func) (i32.const 1))))",
    ),
    ("exception", "(tag) (func (throw 0))"),
    ("struct", "(type $s (struct (field i32)))"),
    (
        "typed function reference",
        "(type $t (func)) (func (param (ref null $t)))",
    ),
    ("recursive type", "(rec (type $t (func)))"),
];

/// Methods that are called with odd arguments.
const METHODS: &[&str] = &[
    "create_canister",
    "update_settings",
    "install_code",
    "install_chunked_code",
    "uninstall_code",
    "start_canister",
    "stop_canister",
    "canister_status",
    "canister_info",
    "canister_metadata",
    "delete_canister",
    "deposit_cycles",
    "raw_rand",
    "upload_chunk",
    "clear_chunk_store",
    "stored_chunks",
    "take_canister_snapshot",
    "load_canister_snapshot",
    "list_canister_snapshots",
    "delete_canister_snapshot",
    "read_canister_snapshot_metadata",
    "read_canister_snapshot_data",
    "upload_canister_snapshot_metadata",
    "upload_canister_snapshot_data",
    "fetch_canister_logs",
    "provisional_create_canister_with_cycles",
    "provisional_top_up_canister",
    "no_such_method",
    "setup_initial_dkg",
];

fn text(import: &str, width: &str) -> String {
    let (name, signature) = import.split_once(':').unwrap();
    let (parameters, results) = signature.split_once("->").unwrap();
    let types = |letters: &str| {
        letters
            .chars()
            .map(|letter| match letter {
                'p' => width,
                'l' => "i64",
                _ => "i32",
            })
            .collect::<Vec<_>>()
            .join(" ")
    };
    let (parameters, results) = (types(parameters), types(results));
    format!("(import \"ic0\" \"{name}\" (func (param {parameters}) (result {results})))")
}

fn odd_modules() -> Vec<(String, String)> {
    let mut modules = Vec::new();
    for import in IMPORTS.split_whitespace() {
        let name = import.split_once(':').unwrap().0;
        let (narrow, wide) = (text(import, "i32"), text(import, "i64"));
        let in_module = |kind: &str, body: String| (format!("{name}, {kind}"), body);
        modules.push(in_module(
            "32 bits",
            format!("(module {narrow} (memory 1))"),
        ));
        modules.push(in_module(
            "64 bits",
            format!("(module {wide} (memory i64 1))"),
        ));
        modules.push(in_module("no memory", format!("(module {narrow})")));
        modules.push(in_module("wide without memory", format!("(module {wide})")));
        modules.push(in_module(
            "narrow in 64 bits",
            format!("(module {narrow} (memory i64 1))"),
        ));
    }
    for (name, body) in ODD {
        modules.push(((*name).to_owned(), format!("(module {body})")));
    }
    modules
}

/// The modules of these scenarios.
pub fn modules() -> Value {
    let mut modules = json!({ "V1": { "wat": "uni1.wat" }, "empty": { "wat_text": "(module)" } });
    for (name, text) in odd_modules() {
        modules[name] = json!({ "wat_text": text });
    }
    modules
}

/// All of these scenarios.
pub fn scenarios() -> Vec<Value> {
    let create = json!({ "op": "create", "label": "A" });
    let mut scenarios = Vec::new();
    for (name, _) in odd_modules() {
        let install =
            |mode: &str| json!({ "op": "install", "canister": "A", "module": name, "mode": mode });
        scenarios.push(json!({
            "name": format!("module: {name}"),
            "steps": [
                create, install("install"), { "op": "status", "canister": "A" },
                install("upgrade"), { "op": "take_snapshot", "canister": "A", "label": "s" },
                { "op": "snapshot_metadata", "canister": "A", "snapshot": "s" },
                { "op": "update", "canister": "A", "method": "a" },
                { "op": "query", "canister": "A", "method": "a" },
            ],
        }));
    }
    for method in METHODS {
        for state in ["fresh", "stopped"] {
            scenarios.push(management(method, state, &create));
        }
    }
    scenarios
}

/// A management method by several callers with several arguments.
fn management(method: &str, state: &str, create: &Value) -> Value {
    // `record { canister_id }` of the canister, of one that never was, and arguments that are no such record.
    let record = "4449444c016c01b3c4b1f204680100010a{A}";
    let unknown = "4449444c016c01b3c4b1f204680100010a00000000000000ff0101";
    let mut steps = vec![create.clone()];
    let about = |op: &str| json!({ "op": op, "canister": "A" });
    if state != "fresh" {
        steps.push(json!({ "op": "install", "canister": "A", "module": "V1", "mode": "install" }));
    }
    if state == "stopped" {
        steps.push(about("stop"));
    }
    for (arg, sender) in [
        (record, "u1"),
        (unknown, "anon"),
        ("", "anon"),
        ("4449444c0000", "anon"),
        ("00", "anon"),
        (record, "anon"),
    ] {
        steps.push(json!({
            "op": "raw_mgmt", "canister": "A", "method": method, "arg_hex": arg, "sender": sender,
        }));
    }
    steps.extend([
        json!({ "op": "tick", "n": 2 }),
        about("status"),
        about("logs"),
    ]);
    json!({ "name": format!("management: {method}, {state}"), "steps": steps })
}

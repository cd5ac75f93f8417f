//! The functions of module `ic0` that a canister may import, with their types.

use crate::error::{Help, ModuleError};
use wasmparser::{FuncType, ValType};

/// Name, parameters, results. `p` is a pointer (i32 or i64 as the memory is), `i` is i32, `I` i64.
pub(crate) type Signature = (&'static str, &'static str, &'static str);

/// Functions for 32-bit and 64-bit memories.
pub(crate) const COMMON: &[Signature] = &[
    ("accept_message", "", ""),
    ("call_cycles_add128", "II", ""),
    ("call_data_append", "pp", ""),
    ("call_new", "pppppppp", ""),
    ("call_on_cleanup", "pp", ""),
    ("call_perform", "", "i"),
    ("call_with_best_effort_response", "i", ""),
    ("canister_cycle_balance128", "p", ""),
    ("canister_liquid_cycle_balance128", "p", ""),
    ("canister_self_copy", "ppp", ""),
    ("canister_self_size", "", "p"),
    ("canister_status", "", "i"),
    ("canister_version", "", "I"),
    ("certified_data_set", "pp", ""),
    ("cost_call", "IIp", ""),
    ("cost_create_canister", "p", ""),
    ("cost_http_request", "IIp", ""),
    ("cost_sign_with_ecdsa", "ppip", "i"),
    ("cost_sign_with_schnorr", "ppip", "i"),
    ("cost_vetkd_derive_key", "ppip", "i"),
    ("cycles_burn128", "IIp", ""),
    ("data_certificate_copy", "ppp", ""),
    ("data_certificate_present", "", "i"),
    ("data_certificate_size", "", "p"),
    ("debug_print", "pp", ""),
    ("env_var_count", "", "p"),
    ("env_var_name_copy", "pppp", ""),
    ("env_var_name_exists", "pp", "i"),
    ("env_var_name_size", "p", "p"),
    ("env_var_value_copy", "ppppp", ""),
    ("env_var_value_size", "pp", "p"),
    ("global_timer_set", "I", "I"),
    ("in_replicated_execution", "", "i"),
    ("is_controller", "pp", "i"),
    ("mint_cycles128", "IIp", ""),
    ("msg_arg_data_copy", "ppp", ""),
    ("msg_arg_data_size", "", "p"),
    ("msg_caller_copy", "ppp", ""),
    ("msg_caller_size", "", "p"),
    ("msg_cycles_accept128", "IIp", ""),
    ("msg_cycles_available128", "p", ""),
    ("msg_cycles_refunded128", "p", ""),
    ("msg_deadline", "", "I"),
    ("msg_method_name_copy", "ppp", ""),
    ("msg_method_name_size", "", "p"),
    ("msg_reject", "pp", ""),
    ("msg_reject_code", "", "i"),
    ("msg_reject_msg_copy", "ppp", ""),
    ("msg_reject_msg_size", "", "p"),
    ("msg_reply", "", ""),
    ("msg_reply_data_append", "pp", ""),
    ("performance_counter", "i", "I"),
    ("root_key_copy", "ppp", ""),
    ("root_key_size", "", "p"),
    ("stable64_grow", "I", "I"),
    ("stable64_read", "III", ""),
    ("stable64_size", "", "I"),
    ("stable64_write", "III", ""),
    ("subnet_self_copy", "ppp", ""),
    ("subnet_self_size", "", "p"),
    ("time", "", "I"),
    ("trap", "pp", ""),
];

/// Functions for 32-bit memories only.
pub(crate) const ONLY_32_BIT: &[Signature] = &[
    ("call_cycles_add", "I", ""),
    ("canister_cycle_balance", "", "I"),
    ("msg_cycles_accept", "I", "I"),
    ("msg_cycles_available", "", "I"),
    ("msg_cycles_refunded", "", "I"),
    ("stable_grow", "i", "i"),
    ("stable_read", "iii", ""),
    ("stable_size", "", "i"),
    ("stable_write", "iii", ""),
];

fn value_types(letters: &str, wasm64: bool) -> Vec<ValType> {
    letters
        .chars()
        .map(|letter| match letter {
            'I' => ValType::I64,
            'p' if wasm64 => ValType::I64,
            _ => ValType::I32,
        })
        .collect()
}

/// Checks that a function may be imported and has the right type.
pub(super) fn check_import(
    module: &str,
    name: &str,
    ty: &FuncType,
    wasm64: bool,
) -> Result<(), ModuleError> {
    let only_32_bit = if wasm64 { &[] } else { ONLY_32_BIT };
    let Some((_, params, results)) = COMMON
        .iter()
        .chain(only_32_bit)
        .find(|signature| signature.0 == name)
    else {
        return Err(invalid_import(format!(
            "Module imports function '{name}' from '{module}' that is not exported by the runtime."
        )));
    };
    if module != "ic0" {
        return Err(invalid_import(format!(
            "Module imports function {name:?} from {module:?}, expected to be imported from one \
             of [\"ic0\"] instead."
        )));
    }
    check_signature(
        name,
        ty,
        &value_types(params, wasm64),
        &value_types(results, wasm64),
    )
}

pub(super) fn invalid_import(what: impl std::fmt::Display) -> ModuleError {
    ModuleError::invalid(
        format!("Wasm module has an invalid import section. {what}"),
        Help::Toolchain,
    )
}

/// Checks the type of an imported or exported function.
pub(super) fn check_signature(
    name: &str,
    ty: &FuncType,
    params: &[ValType],
    results: &[ValType],
) -> Result<(), ModuleError> {
    let complain = |what: &str, expected: &[ValType], got: &[ValType]| {
        Err(ModuleError::invalid(
            format!(
                "Wasm module has an invalid function signature. Expected {what} {} for '{name}', \
                 got {}.",
                list(expected),
                list(got)
            ),
            Help::Toolchain,
        ))
    };
    if ty.params() != params {
        return complain("input params", params, ty.params());
    }
    if ty.results() != results {
        return complain("return type", results, ty.results());
    }
    Ok(())
}

fn list(types: &[ValType]) -> String {
    let names: Vec<String> = types
        .iter()
        .map(|ty| match ty {
            ValType::I32 => "I32".to_string(),
            ValType::I64 => "I64".to_string(),
            ValType::F32 => "F32".to_string(),
            ValType::F64 => "F64".to_string(),
            ValType::V128 => "V128".to_string(),
            other => format!("{other:?}"),
        })
        .collect();
    format!("[{}]", names.join(", "))
}

//! Rules on single sections of a module.

use super::imports::{check_import, check_signature, invalid_import};
use crate::error::{Help, ModuleError};
use crate::image::HEAP_MAX_BYTES;
use crate::module::{CustomSection, Visibility};
use crate::parse::Parsed;
use crate::weights::complexity;
use std::collections::{BTreeMap, HashSet};
use wasmparser::{DataKind, ExternalKind, Operator, TypeRef, ValType};

const GLOBALS_MAX: usize = 1_000;
const FUNCTIONS_MAX: usize = 50_000;
const METHODS_MAX: usize = 1_000;
/// Bytes of all public method names together; also the longest method name of a call.
pub(crate) const METHOD_NAMES_MAX_BYTES: usize = 20_000;
const FUNCTION_MAX_INSTRUCTIONS: usize = 1_000_000;
const FUNCTION_MAX_COMPLEXITY: u64 = 1_000_000;
const CUSTOM_SECTIONS_MAX: usize = 16;
const CUSTOM_SECTIONS_MAX_BYTES: usize = 1 << 20;

const SYSTEM_METHODS: [&str; 7] = [
    "canister_init",
    "canister_inspect_message",
    "canister_pre_upgrade",
    "canister_post_upgrade",
    "canister_heartbeat",
    "canister_global_timer",
    "canister_on_low_wasm_memory",
];

const RESERVED_EXPORTS: [&str; 6] = [
    "canister counter_instructions",
    "canister_start",
    "canister counter_dirty_pages",
    "canister counter_accessed_pages",
    "stable_memory",
    "stable_memory_bytemap",
];

pub(super) fn check_imports(parsed: &Parsed) -> Result<(), ModuleError> {
    for import in &parsed.imports {
        match import.ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                let Some(Some(ty)) = parsed.types.get(ty as usize) else {
                    return Err(invalid_import(
                        "Function import doesn't have a function type.",
                    ));
                };
                check_import(import.module, import.name, ty, parsed.is_wasm64())?;
            }
            TypeRef::Table(_) if import.name == "table" && import.module != "env" => {
                return Err(invalid_import(
                    "Only tables imported from env.table are allowed.",
                ));
            }
            TypeRef::Memory(_) if import.name == "memory" && import.module != "env" => {
                return Err(invalid_import(
                    "Only memory imported from env.memory is allowed.",
                ));
            }
            TypeRef::Global(_) => {
                return Err(invalid_import("Importing globals is not allowed."));
            }
            TypeRef::Tag(_) => return Err(invalid_import("Importing tags is not allowed.")),
            TypeRef::Table(_) | TypeRef::Memory(_) => {}
        }
    }
    Ok(())
}

fn invalid_export(what: String) -> ModuleError {
    ModuleError::invalid(
        format!("Wasm module has an invalid export section. {what}"),
        Help::Toolchain,
    )
}

pub(super) fn check_exports(parsed: &Parsed) -> Result<(), ModuleError> {
    let mut seen = HashSet::new();
    let mut names_bytes = 0;
    for export in &parsed.exports {
        if RESERVED_EXPORTS.contains(&export.name) {
            return Err(invalid_export(format!(
                "Exporting reserved symbol {} not allowed.",
                export.name
            )));
        }
        if export.kind != ExternalKind::Func {
            continue;
        }
        let public = [
            "canister_update ",
            "canister_query ",
            "canister_composite_query ",
        ]
        .iter()
        .find_map(|prefix| export.name.strip_prefix(prefix));
        if let Some(name) = public {
            if !seen.insert(name) {
                return Err(ModuleError::invalid(
                    format!(
                        "Duplicate function '{name}' exported multiple times with different call \
                         types: update, query, or composite_query."
                    ),
                    Help::user(
                        format!(
                            "Try defining different versions of the function for each call type, \
                             e.g. `{name}_update`, `{name}_query`, etc."
                        ),
                        "wasm-module-duplicate-exports",
                    ),
                ));
            }
            names_bytes += name.len();
        } else if export.name.starts_with("canister_") && !SYSTEM_METHODS.contains(&export.name) {
            return Err(invalid_export(format!(
                "Exporting reserved function '{}' with \"canister_\" prefix",
                export.name
            )));
        }
        if public.is_some() || SYSTEM_METHODS.contains(&export.name) {
            let ty = parsed
                .function_type(export.index)
                .ok_or_else(|| invalid_export("Function export doesn't have a type.".into()))?;
            check_signature(export.name, ty, &[], &[])?;
        }
    }
    if seen.len() > METHODS_MAX {
        return Err(ModuleError::invalid(
            format!(
                "The number of exported functions called `canister_update <name>`, \
                 `canister_query <name>`, or `canister_composite_query <name>` is {} which \
                 exceeds {METHODS_MAX}.",
                seen.len()
            ),
            Help::user(
                "Try combining multiple endpoints into a single endpoint.",
                "wasm-module-exports-too-many-methods",
            ),
        ));
    }
    if names_bytes > METHOD_NAMES_MAX_BYTES {
        return Err(ModuleError::invalid(
            format!(
                "The sum of `<name>` lengths in exported functions called `canister_update \
                 <name>`, `canister_query <name>`, or `canister_composite_query <name>` is \
                 {names_bytes} which exceeds the allowed limit of {METHOD_NAMES_MAX_BYTES}."
            ),
            Help::user(
                "Try using shorter method names.",
                "wasm-module-sum-of-exported-name-lengths-too-large",
            ),
        ));
    }
    Ok(())
}

/// The offset of an active segment, when it is a plain constant of the memory's width.
pub(crate) fn constant_offset(expression: &wasmparser::ConstExpr, wasm64: bool) -> Option<u64> {
    let mut reader = expression.get_operators_reader();
    let offset = match (reader.read().ok()?, wasm64) {
        (Operator::I32Const { value }, false) => i64::from(value) as u64,
        (Operator::I64Const { value }, true) => value as u64,
        _ => return None,
    };
    matches!(reader.read(), Ok(Operator::End)).then_some(offset)
}

pub(super) fn check_data(parsed: &Parsed) -> Result<(), ModuleError> {
    let wasm64 = parsed.is_wasm64();
    for segment in &parsed.data {
        if let DataKind::Active { offset_expr, .. } = &segment.kind
            && constant_offset(offset_expr, wasm64).is_none()
        {
            let bits = if wasm64 { 64 } else { 32 };
            return Err(ModuleError::invalid(
                format!(
                    "Wasm module has an invalid data section. Invalid offset expression in data \
                     segment for {bits}bit memory: {offset_expr:?}"
                ),
                Help::Toolchain,
            ));
        }
    }
    Ok(())
}

pub(super) fn check_globals(parsed: &Parsed) -> Result<(), ModuleError> {
    let defined = parsed.globals.len();
    if defined > GLOBALS_MAX {
        return Err(ModuleError::invalid(
            format!(
                "Wasm module defined {defined} globals which exceeds the maximum number allowed \
                 {GLOBALS_MAX}."
            ),
            Help::user(
                "Try collecting multiple globals into a single structured which can be stored on \
                 the heap.",
                "wasm-module-too-many-globals",
            ),
        ));
    }
    for global in &parsed.globals {
        if let ValType::Ref(other) = global.ty.content_type {
            return Err(ModuleError::invalid(
                format!(
                    "Wasm module has an invalid global section. Unsupported global type: Ref({other})"
                ),
                Help::Toolchain,
            ));
        }
    }
    Ok(())
}

pub(super) fn check_functions(parsed: &Parsed) -> Result<(), ModuleError> {
    let defined = parsed.bodies.len();
    if defined > FUNCTIONS_MAX {
        return Err(ModuleError::invalid(
            format!(
                "Wasm module defined {defined} functions which exceeds the maximum number \
                 allowed {FUNCTIONS_MAX}."
            ),
            Help::user(
                "Try spliting this canister into multiple canisters.",
                "wasm-module-too-many-functions",
            ),
        ));
    }
    Ok(())
}

pub(super) fn check_memories(parsed: &Parsed) -> Result<(), ModuleError> {
    let allowed = HEAP_MAX_BYTES / crate::WASM_PAGE_BYTES;
    match parsed.memories.first() {
        Some(memory) if memory.memory64 && memory.initial > allowed => Err(ModuleError::invalid(
            format!(
                "Wasm module declares an initial Wasm64 heap memory size of {} pages which \
                 exceeds the maximum allowed size of {allowed} pages.",
                memory.initial
            ),
            Help::user(
                "Try reducing the initial Wasm64 heap memory size.",
                "wasm-module-initial-wasm64-memory-too-large",
            ),
        )),
        _ => Ok(()),
    }
}

pub(super) fn check_code(parsed: &Parsed) -> Result<(), ModuleError> {
    const BREAK_UP: &str = "Try breaking large functions up into multiple smaller functions.";
    for (position, body) in parsed.bodies.iter().enumerate() {
        let index = parsed.imported_functions as usize + position;
        let mut size = 0;
        let mut total: u64 = 0;
        let operators = body.get_operators_reader().map_err(super::decoding)?;
        for operator in operators {
            size += 1;
            total += complexity(&operator.map_err(super::decoding)?).map_err(|instruction| {
                ModuleError::invalid(
                    format!(
                        "Wasm module contains a function at index {index} with unsupported \
                         instruction {instruction}."
                    ),
                    Help::Toolchain,
                )
            })?;
        }
        if total > FUNCTION_MAX_COMPLEXITY {
            return Err(ModuleError::invalid(
                format!(
                    "Wasm module contains a function at index {index} with complexity {total} \
                     which exceeds the maximum complexity allowed {FUNCTION_MAX_COMPLEXITY}."
                ),
                Help::user(BREAK_UP, "wasm-module-function-complexity-too-high"),
            ));
        }
        if size > FUNCTION_MAX_INSTRUCTIONS {
            return Err(ModuleError::invalid(
                format!(
                    "Wasm module contains a function at index {index} of size {size} that \
                     exceeds the maximum allowed size of {FUNCTION_MAX_INSTRUCTIONS}."
                ),
                Help::user(BREAK_UP, "wasm-module-function-too-large"),
            ));
        }
    }
    Ok(())
}

/// Checks and collects the custom sections named `icp:…`; others are nobody's business.
pub(crate) fn custom_sections(
    parsed: &Parsed,
) -> Result<BTreeMap<String, CustomSection>, ModuleError> {
    let invalid = |what: String| {
        ModuleError::invalid(
            format!("Wasm module has an invalid custom section. {what}"),
            Help::Toolchain,
        )
    };
    let mut sections = BTreeMap::new();
    let mut total_bytes = 0;
    for &(full_name, content) in &parsed.custom {
        if !full_name.starts_with("icp:") {
            continue;
        }
        let (name, visibility) = if let Some(name) = full_name.strip_prefix("icp:public ") {
            (name, Visibility::Public)
        } else if let Some(name) = full_name.strip_prefix("icp:private ") {
            (name, Visibility::Private)
        } else if full_name == "icp:public" || full_name == "icp:private" {
            return Err(invalid(
                "'icp:' section names must have a space after the public/private scope".into(),
            ));
        } else {
            return Err(invalid(format!(
                "Invalid custom section: Custom section '{full_name}' has no public/private \
                 scope defined."
            )));
        };
        if sections.contains_key(name) {
            return Err(invalid(format!(
                "Invalid custom section: name {name} already exists"
            )));
        }
        total_bytes += content.len() + name.len();
        if total_bytes > CUSTOM_SECTIONS_MAX_BYTES {
            return Err(invalid(format!(
                "Invalid custom sections: total size of the custom sections exceeds the maximum \
                 allowed: size {total_bytes} bytes, allowed {CUSTOM_SECTIONS_MAX_BYTES} bytes"
            )));
        }
        let section = CustomSection {
            visibility,
            content: content.to_vec(),
        };
        sections.insert(name.to_string(), section);
        if sections.len() > CUSTOM_SECTIONS_MAX {
            return Err(ModuleError::invalid(
                format!(
                    "Wasm module defined {} custom sections which exceeds the maximum number \
                     allowed {CUSTOM_SECTIONS_MAX}.",
                    sections.len()
                ),
                Help::Toolchain,
            ));
        }
    }
    Ok(sections)
}

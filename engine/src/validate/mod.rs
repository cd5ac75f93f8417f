//! The Internet Computer's rules for canister modules, in the order it applies them.

pub(crate) mod imports;
mod sections;

use crate::error::{Help, ModuleError};
use crate::parse::Parsed;
pub(crate) use sections::{METHOD_NAMES_MAX_BYTES, constant_offset, custom_sections};
use sections::{
    check_code, check_data, check_exports, check_functions, check_globals, check_imports,
    check_memories,
};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

/// Longest code section in bytes.
const CODE_SECTION_MAX_BYTES: u32 = 11 << 20;

/// Parses a module and checks it against every rule except those on custom sections, which
/// [`custom_sections`] checks last.
pub(crate) fn validate(wasm: &[u8]) -> Result<Parsed<'_>, ModuleError> {
    check_code_section_length(wasm)?;
    Validator::new_with_features(features())
        .validate_all(wasm)
        .map_err(|error| {
            ModuleError::invalid(
                format!(
                    "Wasmtime failed to validate wasm module wasmtime::Module::validate() failed \
                     with {error}"
                ),
                Help::Toolchain,
            )
        })?;
    let parsed = Parsed::new(wasm).map_err(decoding)?;
    check_imports(&parsed)?;
    check_exports(&parsed)?;
    check_data(&parsed)?;
    check_globals(&parsed)?;
    check_functions(&parsed)?;
    check_memories(&parsed)?;
    check_code(&parsed)?;
    Ok(parsed)
}

fn decoding(reason: impl std::fmt::Display) -> ModuleError {
    ModuleError::invalid(
        format!("Failed to decode wasm module: {reason}"),
        Help::Toolchain,
    )
}

/// Language features a canister may use.
pub(crate) fn features() -> WasmFeatures {
    WasmFeatures::WASM2 | WasmFeatures::TAIL_CALL | WasmFeatures::MEMORY64
}

fn check_code_section_length(wasm: &[u8]) -> Result<(), ModuleError> {
    for payload in Parser::new(0).parse_all(wasm) {
        let payload =
            payload.map_err(|error| decoding(format!("Error finding code section: {error}")))?;
        if let Payload::CodeSectionStart { size, .. } = payload {
            if size <= CODE_SECTION_MAX_BYTES {
                return Ok(());
            }
            return Err(ModuleError::invalid(
                format!(
                    "Wasm module code section size of {size} exceeds the maximum allowed size of \
                     {CODE_SECTION_MAX_BYTES}."
                ),
                Help::user(
                    "Try shrinking the module code section using tools like `ic-wasm` or \
                     splitting the logic across multiple canisters.",
                    "wasm-module-code-section-too-large",
                ),
            ));
        }
    }
    Ok(())
}

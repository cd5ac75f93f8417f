//! Why a module is refused.

use super::help::{Help, write_with_help};
use std::fmt;

/// A canister module that cannot be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleError {
    pub(crate) code: &'static str,
    pub(crate) description: String,
    pub(crate) help: Help,
}

impl ModuleError {
    /// A module that breaks a validation rule.
    pub(crate) fn invalid(rule: impl fmt::Display, help: Help) -> Self {
        Self {
            code: "CanisterInvalidWasm",
            description: format!("Canister's Wasm module is not valid: {rule}"),
            help,
        }
    }

    /// A module that validates but cannot be prepared for execution.
    pub(crate) fn instrumentation(reason: impl fmt::Display, help: Help) -> Self {
        Self {
            code: "CanisterInvalidWasm",
            description: format!("Could not instrument wasm module of canister: {reason}"),
            help,
        }
    }

    /// A module the WebAssembly engine refuses.
    pub(crate) fn engine(reason: impl fmt::Display) -> Self {
        Self {
            code: "CanisterWasmEngineError",
            description: format!("Canister encountered a Wasm engine error: {reason}"),
            help: Help::None,
        }
    }

    /// Name of the error code, as in `CanisterInvalidWasm`.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The text without help.
    pub fn description(&self) -> String {
        self.description.clone()
    }
}

impl std::error::Error for ModuleError {}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_help(f, &self.description, &self.help)
    }
}

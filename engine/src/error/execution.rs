//! Why a message fails.

use super::help::{Help, write_with_help};
use super::module::ModuleError;
use super::trap::{TrapCode, backtrace_text};
use std::fmt;

/// Why a message failed. Variants and texts are the Internet Computer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutionError {
    /// The module has no such method.
    MethodNotFound {
        /// "update", "query", "composite_query" or "system".
        kind: &'static str,
        /// Method name.
        name: String,
    },
    /// A callback names a function outside table 0.
    FunctionNotFound {
        /// Index into table 0.
        function: u64,
    },
    /// The system API was used against its contract, presumably by a toolchain.
    ToolchainContractViolation {
        /// What was violated.
        error: String,
    },
    /// The system API was used against its contract.
    UserContractViolation {
        /// What was violated.
        error: String,
        /// What to do about it; may be empty.
        suggestion: String,
        /// Anchor in the execution errors reference; may be empty.
        anchor: &'static str,
    },
    /// Too many instructions.
    InstructionLimitExceeded {
        /// The limit, in instructions.
        limit: u64,
    },
    /// One operation used more instructions than two slices of a long execution have.
    SliceOverrun {
        /// Instructions used.
        instructions: u64,
        /// Instructions of a slice.
        limit: u64,
    },
    /// The module is refused.
    InvalidModule(ModuleError),
    /// The code trapped.
    Trapped {
        /// Why.
        code: TrapCode,
        /// Function names, innermost first; `None` without a name section.
        backtrace: Option<Vec<String>>,
    },
    /// The code called `ic0.trap`.
    CalledTrap {
        /// Its message.
        message: String,
        /// Function names, innermost first; `None` without a name section.
        backtrace: Option<Vec<String>>,
    },
    /// The canister has no code. Never given by the engine; here for its text.
    WasmModuleNotFound,
    /// Memory could not grow.
    OutOfMemory,
    /// Bytes that are no principal.
    InvalidPrincipalId,
    /// More cycles used than the canister has.
    InsufficientCycles {
        /// The text, canister named.
        message: String,
    },
    /// A callback failed, then its cleanup callback. Built by the caller of the engine.
    Cleanup {
        /// The callback's failure.
        callback: Box<ExecutionError>,
        /// The cleanup callback's failure.
        cleanup: Box<ExecutionError>,
    },
    /// The WebAssembly engine failed.
    WasmEngine {
        /// Its words.
        message: String,
    },
    /// Too much stable memory accessed in one message.
    MemoryAccessLimitExceeded {
        /// Which limit.
        message: String,
    },
    /// The heap is above `wasm_memory_limit`.
    WasmMemoryLimitExceeded {
        /// Heap size the message wanted, bytes.
        bytes: u64,
        /// The limit, bytes.
        limit: u64,
    },
    /// A kept heap does not fit the declared maximum of the module's memory, or the 4 GiB of a
    /// 32-bit one. Code name as since July 2026; older servers abort.
    HeapExceedsDeclaredMaximum {
        /// Pages of the kept heap.
        pages: u64,
        /// Pages the module allows.
        maximum_pages: u64,
    },
    /// `env_var_name_*` beyond the last variable.
    EnvironmentVariableIndexOutOfBounds {
        /// The index asked for.
        index: u64,
        /// How many variables there are.
        length: usize,
    },
    /// `env_var_value_*` of an unknown name.
    EnvironmentVariableNotFound {
        /// The name asked for.
        name: String,
    },
}

impl ExecutionError {
    /// A trap without backtrace.
    pub(crate) fn trap(code: TrapCode) -> Self {
        Self::Trapped {
            code,
            backtrace: None,
        }
    }

    /// Whether this kind of error has a backtrace.
    pub(crate) fn has_backtrace(&self) -> bool {
        matches!(self, Self::Trapped { .. } | Self::CalledTrap { .. })
    }

    /// Whether a system function was called where it is forbidden.
    pub(crate) fn is_forbidden_call(&self) -> bool {
        matches!(self, Self::UserContractViolation { anchor, .. } if *anchor == WRONG_MODE)
    }

    /// The system function, without `ic0.`, that was called where it is forbidden, if that is the error.
    pub fn forbidden_function(&self) -> Option<&str> {
        let Self::UserContractViolation { error, .. } = self else {
            return None;
        };
        if !self.is_forbidden_call() {
            return None;
        }
        let quoted = error.strip_prefix('"')?.split('"').next()?;
        quoted.strip_prefix("ic0_").or(Some(quoted))
    }

    /// Sets the backtrace of errors that have one.
    pub(crate) fn set_backtrace(&mut self, names: Option<Vec<String>>) {
        if let Self::Trapped { backtrace, .. } | Self::CalledTrap { backtrace, .. } = self {
            *backtrace = names;
        }
    }

    /// The error as a caller sees it who may not read the canister's logs: without backtrace.
    pub fn without_backtrace(mut self) -> Self {
        self.set_backtrace(None);
        if let Self::Cleanup { callback, cleanup } = self {
            return Self::Cleanup {
                callback: Box::new(callback.without_backtrace()),
                cleanup: Box::new(cleanup.without_backtrace()),
            };
        }
        self
    }

    /// Name of the error code, as in `CanisterCalledTrap`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MethodNotFound { .. } => "CanisterMethodNotFound",
            Self::FunctionNotFound { .. } => "CanisterFunctionNotFound",
            Self::ToolchainContractViolation { .. }
            | Self::UserContractViolation { .. }
            | Self::InvalidPrincipalId
            | Self::InsufficientCycles { .. }
            | Self::EnvironmentVariableIndexOutOfBounds { .. }
            | Self::EnvironmentVariableNotFound { .. } => "CanisterContractViolation",
            Self::InstructionLimitExceeded { .. } | Self::SliceOverrun { .. } => {
                "CanisterInstructionLimitExceeded"
            }
            Self::InvalidModule(error) => error.code(),
            Self::Trapped { .. } => "CanisterTrapped",
            Self::CalledTrap { .. } => "CanisterCalledTrap",
            Self::WasmModuleNotFound => "CanisterWasmModuleNotFound",
            Self::OutOfMemory => "CanisterOutOfMemory",
            Self::Cleanup { callback, .. } => callback.code(),
            Self::WasmEngine { .. } | Self::HeapExceedsDeclaredMaximum { .. } => {
                "CanisterWasmEngineError"
            }
            Self::MemoryAccessLimitExceeded { .. } => "CanisterMemoryAccessLimitExceeded",
            Self::WasmMemoryLimitExceeded { .. } => "CanisterWasmMemoryLimitExceeded",
        }
    }

    /// The text without help.
    pub fn description(&self) -> String {
        match self {
            Self::MethodNotFound { kind, name } => {
                format!("Canister has no {kind} method '{name}'.")
            }
            Self::FunctionNotFound { function } => format!(
                "Canister requested to invoke a non-existent Wasm function {function} from table 0"
            ),
            Self::ToolchainContractViolation { error }
            | Self::UserContractViolation { error, .. } => {
                format!("Canister violated contract: {error}")
            }
            Self::InstructionLimitExceeded { limit } => format!(
                "Canister exceeded the limit of {limit} instructions for single message execution."
            ),
            Self::SliceOverrun {
                instructions,
                limit,
            } => format!(
                "Canister attempted to perform a large memory operation that used {instructions} \
                 instructions and exceeded the slice limit {limit}."
            ),
            Self::InvalidModule(error) => error.description(),
            Self::Trapped { code, backtrace } => {
                format!("Canister trapped: {code}{}", backtrace_text(backtrace))
            }
            Self::CalledTrap { message, backtrace } => format!(
                "Canister called `ic0.trap` with message: '{message}'{}",
                backtrace_text(backtrace)
            ),
            Self::WasmModuleNotFound => "Attempted to execute a message, but the canister \
                contains no Wasm module."
                .to_string(),
            Self::OutOfMemory => "Canister cannot grow its memory usage.".to_string(),
            Self::InvalidPrincipalId => "Canister provided invalid principal id".to_string(),
            Self::InsufficientCycles { message } => message.clone(),
            Self::Cleanup { callback, cleanup } => format!(
                "{}\n\ncall_on_cleanup also failed:\n\n{}",
                callback.description(),
                cleanup.description()
            ),
            Self::WasmEngine { message } => {
                format!("Canister encountered a Wasm engine error: {message}")
            }
            Self::MemoryAccessLimitExceeded { message } => {
                format!("Canister exceeded memory access limits: {message}")
            }
            Self::WasmMemoryLimitExceeded { bytes, limit } => format!(
                "Canister exceeded its current Wasm memory limit of {limit} bytes. \
                 The peak Wasm memory usage was {bytes} bytes. \
                 If the canister reaches 4GiB, then it may stop functioning and may become \
                 unrecoverable. Please reach out to the canister owner to investigate the reason \
                 for the increased memory usage. It might be necessary to move data from the Wasm \
                 memory to the stable memory. If such high Wasm memory usage is expected and \
                 safe, then the developer can increase the Wasm memory limit in the canister \
                 settings."
            ),
            Self::HeapExceedsDeclaredMaximum {
                pages,
                maximum_pages,
            } => format!(
                "Canister encountered a Wasm engine error: Failed to grow wasm memory: the heap of \
                 {pages} pages exceeds module's declared maximum of {maximum_pages} pages"
            ),
            Self::EnvironmentVariableIndexOutOfBounds { index, length } => format!(
                "Environment variable index {index} is out of bounds. The number of environment \
                 variables is {length}."
            ),
            Self::EnvironmentVariableNotFound { name } => {
                format!("Environment variable {name} not found.")
            }
        }
    }

    fn help(&self) -> Help {
        match self {
            Self::FunctionNotFound { .. }
            | Self::ToolchainContractViolation { .. }
            | Self::InvalidPrincipalId => Help::Toolchain,
            Self::MethodNotFound { .. } => Help::user(
                "Check that the method being called is exported by the target canister.",
                "method-not-found",
            ),
            Self::InstructionLimitExceeded { .. } => Help::user(
                "Try optimizing this method to consume fewer instructions or split the work \
                 across multiple messages.",
                "instruction-limit-exceeded",
            ),
            Self::SliceOverrun { .. } => Help::user(
                "Try breaking up large copies within the canister code into smaller chunks.",
                "slice-overrun",
            ),
            Self::Trapped { .. } => Help::user(HANDLE_FAILURES, "trapped"),
            Self::CalledTrap { .. } => Help::user(HANDLE_FAILURES, "trapped-explicitly"),
            Self::WasmModuleNotFound => Help::user(
                "Please install code to this canister before calling it.",
                "wasm-module-not-found",
            ),
            Self::OutOfMemory => Help::user(
                "Check the canister's memory usage against its allocation and the system wide \
                 limits to determine why more memory cannot be allocated.",
                "out-of-memory",
            ),
            Self::MemoryAccessLimitExceeded { .. } => Help::user(
                "Try optimizing the use of stable memory so that individual messages don't need \
                 to access as much stable memory.",
                "memory-access-limit-exceeded",
            ),
            Self::WasmMemoryLimitExceeded { .. } => Help::user(
                "Try checking the canister for a possible memory leak or modifying it to use \
                 more stable memory instead of Wasm memory.",
                "wasm-memory-limit-exceeded",
            ),
            Self::UserContractViolation {
                suggestion, anchor, ..
            } => match (suggestion.is_empty(), *anchor) {
                (true, _) => Help::None,
                (false, anchor) => Help::user(suggestion.clone(), anchor),
            },
            Self::InvalidModule(error) => error.help.clone(),
            Self::InsufficientCycles { .. }
            | Self::Cleanup { .. }
            | Self::WasmEngine { .. }
            | Self::HeapExceedsDeclaredMaximum { .. }
            | Self::EnvironmentVariableIndexOutOfBounds { .. }
            | Self::EnvironmentVariableNotFound { .. } => Help::None,
        }
    }
}

/// Anchor of the error of calling a system function where it is forbidden.
pub(crate) const WRONG_MODE: &str = "calling-a-system-api-from-the-wrong-mode";

const HANDLE_FAILURES: &str = "Consider gracefully handling failures from this canister or \
     altering the canister to handle exceptions.";

impl std::error::Error for ExecutionError {}

impl fmt::Display for ExecutionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_help(f, &self.description(), &self.help())
    }
}

impl From<ModuleError> for ExecutionError {
    fn from(error: ModuleError) -> Self {
        Self::InvalidModule(error)
    }
}

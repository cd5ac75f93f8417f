//! Why a module is refused or a message fails, with the Internet Computer's texts and code names.
//!
//! `Display` gives the whole text that follows "Error from Canister …: ", help included;
//! [`ExecutionError::description`] gives it without help, as logs and nested errors show it.

mod execution;
mod help;
mod module;
mod trap;

pub use execution::ExecutionError;
pub(crate) use execution::WRONG_MODE;
pub(crate) use help::Help;
pub use module::ModuleError;
pub use trap::TrapCode;
pub(crate) use trap::backtrace_text;

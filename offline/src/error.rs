//! What can go wrong off chain: each error names the thing, the place and the next move.

use crate::trouble::Trouble;
use archive::{ArchiveError, Memory};
use engine::{ExecutionError, MemoryError, ModuleError};
use std::path::PathBuf;

/// What ended an offline command.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The backup directory.
    #[error("{0}")]
    Archive(#[from] ArchiveError),
    /// A memory could not be mapped or grown.
    #[error("memory: {0}")]
    Memory(#[from] MemoryError),
    /// A module the Internet Computer would refuse, too.
    #[error("the module is not usable: {0}")]
    Module(#[from] ModuleError),
    /// The module is not the canister's.
    #[error(
        "the module has SHA-256 {found}, the canister ran {expected}: code of another build finds \
         nothing where it looks for it in this heap. Give the very file that was installed, or \
         --force-module REASON"
    )]
    OtherModule {
        /// The recorded hash, hex.
        expected: String,
        /// The hash of what was given, hex.
        found: String,
    },
    /// There is no module to run.
    #[error("the backup does not hold the canister's module: give it with --module FILE")]
    NoModule,
    /// A memory is missing.
    #[error("{path} does not hold the {memory}: {remedy}", path = path.display())]
    NoMemory {
        /// The directory.
        path: PathBuf,
        /// Which memory.
        memory: Memory,
        /// The next move.
        remedy: &'static str,
    },
    /// A memory whose size cannot be right.
    #[error("the {memory} has {size_bytes} bytes, which is not a multiple of 64 KiB")]
    OddSize {
        /// Which memory.
        memory: Memory,
        /// Its size.
        size_bytes: u64,
    },
    /// The globals are those of another module.
    #[error(
        "the backup's globals do not fit the module ({what}): they are of another build; make the \
         backup again, or give the module that was installed"
    )]
    GlobalsDiffer {
        /// What does not fit.
        what: String,
    },
    /// The globals are neither in the backup nor provably the initial ones.
    #[error(
        "the backup holds no values of the module's globals, and they need not be the initial \
         ones: {why}. Make the backup with a snapshot (without --no-snapshot)"
    )]
    GlobalsUnknown {
        /// Where the proof fails.
        why: String,
    },
    /// A rule that is not understood.
    #[error("`{text}` is no rule: {expected}")]
    BadRule {
        /// What was given.
        text: String,
        /// What is possible.
        expected: &'static str,
    },
    /// An answer for a function that the module does not use.
    #[error("the module does not import ic0.{function}; it imports: {imported}")]
    NotImported {
        /// The function.
        function: String,
        /// What it imports.
        imported: String,
    },
    /// The module has no such entry point.
    #[error("the module exports no {entry}: there is nothing to run")]
    NoEntry {
        /// The export.
        entry: String,
    },
    /// The code failed.
    #[error("{entry} failed after {instructions} instructions: {error}{hint}")]
    Failed {
        /// What was run.
        entry: String,
        /// Instructions until then.
        instructions: u64,
        /// Why.
        error: Box<ExecutionError>,
        /// What that means for whoever wants the code to end.
        trouble: Box<Trouble>,
        /// What may help; begins with a line end, or is empty.
        hint: String,
    },
    /// The module does not tell its interface.
    #[error(
        "the module carries no candid interface: give one with --candid FILE, or arguments whose \
         types need none"
    )]
    NoInterface,
    /// A candid interface that is not understood.
    #[error("the candid interface is not understood: {reason}")]
    BadInterface {
        /// What is wrong.
        reason: String,
    },
    /// The module has no such method.
    #[error("the module has no method `{method}`; it has: {known}")]
    NoMethod {
        /// The method.
        method: String,
        /// What it has.
        known: String,
    },
    /// An argument that does not fit.
    #[error("the argument of {method} is not understood: {reason}")]
    BadArgument {
        /// The method.
        method: String,
        /// What is wrong.
        reason: String,
    },
    /// A reply that does not fit.
    #[error("the reply of {method} is not what its interface says: {reason}")]
    BadReply {
        /// The method.
        method: String,
        /// What is wrong.
        reason: String,
    },
    /// The canister rejected the call.
    #[error("{method} rejected the call: {message}")]
    Rejected {
        /// The method.
        method: String,
        /// Its words.
        message: String,
    },
    /// The method waits for another canister.
    #[error(
        "{method} did not answer: it called {callee} ({called}) and waits for the reply, which \
         cannot be had off chain"
    )]
    Waits {
        /// The method.
        method: String,
        /// Whom it called.
        callee: String,
        /// The method called.
        called: String,
    },
    /// The method ended without an answer.
    #[error("{method} did not answer")]
    NoAnswer {
        /// The method.
        method: String,
    },
    /// The target directory is in use.
    #[error("{path} exists already: a run writes a new directory and leaves others alone", path = path.display())]
    TargetExists {
        /// The directory.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The canister of a foreign snapshot is not known.
    #[error("the directory does not say which canister it is of: give --canister ID")]
    NoCanister,
    /// A principal that is not understood.
    #[error("`{text}` is not a principal")]
    BadPrincipal {
        /// What was given.
        text: String,
    },
}

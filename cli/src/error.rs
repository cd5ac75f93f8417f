//! Errors of the program: each names the action, the thing and the next move, and has an exit code.
//!
//! Codes are documented in `docs/CLI.md`; a script must take any code it does not know for a failure.

use crate::changeover::refusal::Refusal;
use archive::{ArchiveError, Memory};
use offline::OfflineError;
use std::path::PathBuf;

/// Anything that has no code of its own.
pub const EXIT_FAILED: u8 = 1;
/// The command line could not be understood.
pub const EXIT_USAGE: u8 = 2;
/// The work was done and it found damage or differences.
pub const EXIT_FINDINGS: u8 = 3;
/// The rescue canister refused a step, or this program did.
pub const EXIT_REFUSED: u8 = 4;
/// The network or a replica did not answer as it should, however often it was asked.
pub const EXIT_NETWORK: u8 = 5;
/// The replica or the canister rejected a call.
pub const EXIT_REJECTED: u8 = 6;
/// Another process uses the directory.
pub const EXIT_LOCKED: u8 = 7;
/// The directory is not what the command needs.
pub const EXIT_DIRECTORY: u8 = 8;
/// The hook fails off chain, too, until the user chooses a rule or an answer that were named.
pub const EXIT_CHOICE: u8 = 9;
/// The hook fails off chain whatever rule is relaxed: what it would have saved cannot be brought home.
pub const EXIT_NO_WAY: u8 = 10;
/// The user interrupted the command.
pub const EXIT_INTERRUPTED: u8 = 130;

/// A call to a canister that did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{method} of {canister}: {message}")]
pub struct CallError {
    /// Whom the call was for.
    pub canister: String,
    /// The method.
    pub method: String,
    /// What was answered.
    pub message: String,
    /// Whether trying again may help.
    pub kind: CallErrorKind,
}

/// Whether trying a call again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallErrorKind {
    /// The network, a node or the reply on its way: try again.
    Temporary,
    /// The replica or the canister said no.
    Rejected,
}

/// What can end a command.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The backup directory.
    #[error("{0}")]
    Archive(#[from] ArchiveError),
    /// A call that cannot succeed.
    #[error("{0}")]
    Rejected(CallError),
    /// A call that did not succeed in all its attempts.
    #[error("{error}; gave up after {attempts} attempts: run the same command again to go on")]
    Unreachable {
        /// The last failure.
        error: CallError,
        /// How often it was tried.
        attempts: u32,
    },
    /// The async runtime could not be started.
    #[error("cannot start the runtime: {source}")]
    StartRuntime {
        /// What the system answered.
        source: std::io::Error,
    },
    /// Ctrl-C.
    #[error("interrupted; what is on disk is kept, run the same command again to go on")]
    Interrupted,
    /// `--network` is neither a known name nor a URL.
    #[error(
        "unknown network `{name}`: use ic, local, or a URL that begins with http:// or https://"
    )]
    BadNetwork {
        /// What was given.
        name: String,
    },
    /// `--root-key` is not hexadecimal.
    #[error("--root-key is not hexadecimal")]
    BadRootKey,
    /// The agent could not be set up.
    #[error("cannot talk to {url}: {reason}")]
    Connect {
        /// The network.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The identity file could not be read.
    #[error("cannot read identity {path}: {source}", path = path.display())]
    ReadIdentity {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The identity file is not usable.
    #[error("cannot use identity {path}: {reason}", path = path.display())]
    BadIdentity {
        /// The file.
        path: PathBuf,
        /// What is wrong, without anything of the content.
        reason: &'static str,
    },
    /// No identity has that name.
    #[error(
        "`{name}` is neither a file nor an identity of dfx or icp that is kept as a PEM file (looked for {looked}): export it first with `dfx identity export {name}` or `icp identity export {name}`, and give that file"
    )]
    UnknownIdentity {
        /// What was given.
        name: String,
        /// Where it was looked for.
        looked: String,
    },
    /// dfx and icp have different default identities.
    #[error("the default identities are {first} and {second}: say which with --identity")]
    AmbiguousIdentity {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// A canister cannot be understood.
    #[error(
        "`{text}` is neither a canister id nor the name of a canister of this project on this network ({looked}): give the id"
    )]
    BadPrincipal {
        /// What was given.
        text: String,
        /// Where it was looked for.
        looked: String,
    },
    /// dfx and icp know different canisters by a name.
    #[error(
        "`{name}` is one canister in {first} and another in {second}: give its id",
        first = first.display(),
        second = second.display()
    )]
    AmbiguousName {
        /// The name.
        name: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Stdout cannot be written.
    #[error("cannot write to stdout: {source}")]
    WriteOut {
        /// What the system answered.
        source: std::io::Error,
    },
    /// An option is missing.
    #[error("{verb} needs {option}")]
    MissingOption {
        /// The command.
        verb: &'static str,
        /// What to add.
        option: &'static str,
    },
    /// The rescue canister refused.
    #[error(
        "the rescue canister {rescue} refused {method}: {refusal}{}",
        option_for(refusal)
    )]
    Refused {
        /// The rescue canister.
        rescue: String,
        /// What was asked for.
        method: String,
        /// Why.
        refusal: Box<rescue_api::Refusal>,
    },
    /// A reply that does not decode.
    #[error(
        "{method} of {canister} answered something that is not understood ({reason}): is it the right canister?"
    )]
    BadReply {
        /// Who answered.
        canister: String,
        /// The method.
        method: String,
        /// What is wrong.
        reason: String,
    },
    /// The case cannot go on by itself.
    #[error("case {case} of {canister} waits for you: {waits_for}")]
    CaseWaits {
        /// The case.
        case: u64,
        /// The patient.
        canister: String,
        /// What for, and what may be done.
        waits_for: String,
    },
    /// There is no open case.
    #[error("the rescue canister {rescue} has no case of {canister}: run `ic-rescue backup` first")]
    NoCase {
        /// The rescue canister.
        rescue: String,
        /// The patient.
        canister: String,
    },
    /// The canister has no such snapshot.
    #[error("{canister} has no snapshot {snapshot}: see `ic-rescue snapshot list {canister}`")]
    NoSnapshot {
        /// The canister.
        canister: String,
        /// The id, hex.
        snapshot: String,
    },
    /// A case took too many steps.
    #[error(
        "case {case} did not get anywhere in {steps} steps: look at it with `ic-rescue status`"
    )]
    CaseStuck {
        /// The case.
        case: u64,
        /// How many.
        steps: u32,
    },
    /// Checksums and root of the rescue canister disagree.
    #[error(
        "the {memory} checksums listed by the rescue canister have root {found}, it recorded {expected}: the node that answered lied or is out of step; run the same command again"
    )]
    ListedRootDiffers {
        /// Which memory.
        memory: Memory,
        /// The recorded root.
        expected: String,
        /// The root of what was listed.
        found: String,
    },
    /// A chunk arrived with wrong bytes too often.
    #[error(
        "{memory} chunk {chunk}: {attempts} replies had wrong bytes (the last: SHA-256 {found}, recorded {expected}); the canister may have changed since its checksums were taken: look at `ic-rescue status`, then run the same command again"
    )]
    ChunkNeverMatched {
        /// Which memory.
        memory: Memory,
        /// Index of the chunk.
        chunk: u64,
        /// How often it was fetched.
        attempts: u32,
        /// The recorded digest, hex.
        expected: String,
        /// The last digest found, hex.
        found: String,
    },
    /// A worker died.
    #[error("a worker ended abnormally: {reason}")]
    Worker {
        /// What is known.
        reason: String,
    },
    /// The backup to restore is damaged.
    #[error("{path} is damaged ({findings} findings): nothing was sent; see `ic-rescue verify {path}`", path = path.display())]
    DamagedBackup {
        /// The directory.
        path: PathBuf,
        /// How many findings.
        findings: usize,
    },
    /// The canister's memory is larger than the backup's.
    #[error(
        "the {memory} of {canister} has {found_bytes} bytes, the backup {backup_bytes}: memory cannot shrink, restore with --wipe"
    )]
    MemoryTooLarge {
        /// Which memory.
        memory: Memory,
        /// The canister.
        canister: String,
        /// Its size.
        found_bytes: u64,
        /// The backup's size.
        backup_bytes: u64,
    },
    /// The canister holds something else than the backup after a restore.
    #[error(
        "after the restore {chunks} chunks of the {memory} of {canister} differ from the backup (first: {first}): run the same command again"
    )]
    RestoreDiffers {
        /// Which memory.
        memory: Memory,
        /// The canister.
        canister: String,
        /// How many chunks differ.
        chunks: u64,
        /// The first of them.
        first: u64,
    },
    /// The canister changed during the backup.
    #[error(
        "{canister} changed while it was read ({what}): nothing was sealed; run the same command again"
    )]
    CanisterChanged {
        /// The canister.
        canister: String,
        /// What shows it.
        what: String,
    },
    /// A file given on the command line cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// Running code off chain.
    #[error("{0}")]
    Offline(OfflineError),
    /// A hook that fails off chain, too, and what it would take.
    #[error("{error}\n{verdict}")]
    HookFails {
        /// The failure.
        error: Box<OfflineError>,
        /// What can be done.
        verdict: String,
        /// [`EXIT_CHOICE`] or [`EXIT_NO_WAY`].
        code: u8,
    },
    /// A file cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A module cannot be patched or compared.
    #[error("{what}: {error}")]
    Surgery {
        /// The module.
        what: String,
        /// What is wrong with it.
        error: surgery::SurgeryError,
    },
    /// A check on the command line is not understood.
    #[error("the check `{check}` is not understood ({reason}): give METHOD or METHOD='(candid)'")]
    BadCheck {
        /// As it was given.
        check: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A change of module is not made.
    #[error("{canister}: {refusal}")]
    ChangeRefused {
        /// The canister.
        canister: String,
        /// Why, and what to do instead.
        refusal: Box<Refusal>,
    },
    /// The canister answered otherwise after a change of module, and was taken back.
    #[error(
        "{canister} answered {differences} checks in another way than before: it was taken back to its snapshot and is what it was"
    )]
    ChecksDiffer {
        /// The canister.
        canister: String,
        /// How many.
        differences: usize,
    },
    /// The local network cannot be had.
    #[error("no network from {program}: {reason}", program = program.display())]
    LocalNetwork {
        /// The server's program.
        program: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// Something is not supported.
    #[error("{what}")]
    Unsupported {
        /// What, and what to do instead.
        what: String,
    },
}

impl From<OfflineError> for CliError {
    fn from(error: OfflineError) -> Self {
        match error {
            OfflineError::Archive(error) => Self::Archive(error),
            error => Self::Offline(error),
        }
    }
}

/// The option of the command line that says what a refusal asks to be said.
const fn option_for(refusal: &rescue_api::Refusal) -> &'static str {
    match refusal {
        rescue_api::Refusal::WouldDiscardState { .. } => " (here: --discard-newer-state)",
        rescue_api::Refusal::PatientNotWhole { .. } => " (here: --leave-as-is)",
        _ => "",
    }
}

impl CliError {
    /// The exit code of the program.
    pub fn exit_code(&self) -> u8 {
        match self {
            CliError::Archive(ArchiveError::Locked { .. }) => EXIT_LOCKED,
            CliError::Archive(
                ArchiveError::ForeignContent { .. }
                | ArchiveError::OtherCanister { .. }
                | ArchiveError::NotSealed { .. }
                | ArchiveError::NewerFormat { .. }
                | ArchiveError::OpenDirectory { .. },
            ) => EXIT_DIRECTORY,
            CliError::Offline(
                OfflineError::TargetExists { .. } | OfflineError::NoMemory { .. },
            ) => EXIT_DIRECTORY,
            CliError::Offline(
                OfflineError::BadRule { .. }
                | OfflineError::NotImported { .. }
                | OfflineError::NoMethod { .. }
                | OfflineError::NoEntry { .. }
                | OfflineError::BadArgument { .. }
                | OfflineError::BadPrincipal { .. }
                | OfflineError::NoCanister
                | OfflineError::NoModule,
            ) => EXIT_USAGE,
            CliError::Offline(OfflineError::OtherModule { .. }) => EXIT_REFUSED,
            CliError::Rejected(_) | CliError::NoSnapshot { .. } => EXIT_REJECTED,
            CliError::Unreachable { .. } | CliError::Connect { .. } => EXIT_NETWORK,
            CliError::ChunkNeverMatched { .. }
            | CliError::ListedRootDiffers { .. }
            | CliError::DamagedBackup { .. }
            | CliError::RestoreDiffers { .. }
            | CliError::ChecksDiffer { .. }
            | CliError::CanisterChanged { .. } => EXIT_FINDINGS,
            CliError::Refused { .. }
            | CliError::CaseWaits { .. }
            | CliError::NoCase { .. }
            | CliError::ChangeRefused { .. } => EXIT_REFUSED,
            CliError::HookFails { code, .. } => *code,
            CliError::Interrupted => EXIT_INTERRUPTED,
            CliError::BadNetwork { .. }
            | CliError::BadRootKey
            | CliError::BadPrincipal { .. }
            | CliError::AmbiguousName { .. }
            | CliError::BadCheck { .. }
            | CliError::AmbiguousIdentity { .. }
            | CliError::MissingOption { .. } => EXIT_USAGE,
            _ => EXIT_FAILED,
        }
    }

    /// The word for this kind of error in JSON output.
    pub fn name(&self) -> &'static str {
        match self.exit_code() {
            EXIT_USAGE => "usage",
            EXIT_FINDINGS => "findings",
            EXIT_REFUSED => "refused",
            EXIT_NETWORK => "network",
            EXIT_REJECTED => "rejected",
            EXIT_LOCKED => "locked",
            EXIT_DIRECTORY => "directory",
            EXIT_CHOICE => "choice",
            EXIT_NO_WAY => "no_way",
            EXIT_INTERRUPTED => "interrupted",
            _ => "failed",
        }
    }
}

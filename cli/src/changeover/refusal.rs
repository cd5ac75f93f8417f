//! Why a change of module is not made: each with what to do instead.

/// A reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The file is not what the canister runs.
    #[error(
        "{file} (SHA-256 {given}) is not the module it runs ({deployed}){layout}. Another module takes the heap \
         for something else, even one built again from the same source. Leave --module out to patch the \
         deployed bytes themselves; --although-different REASON puts it in all the same"
    )]
    OtherModule {
        /// The file.
        file: String,
        /// Its hash.
        given: String,
        /// The hash of the deployed module.
        deployed: String,
        /// What is known of their layouts, as an insertion.
        layout: String,
    },
    /// The module must run before an instruction of ours: its start function.
    #[error(
        "its module has a start function, which would run over the living heap: use --via-snapshot, which runs no code"
    )]
    StartFunction,
    /// A global has another value than at the start.
    #[error(
        "global {index}{} is {now} and would start as {initial} again: use --via-snapshot, which keeps globals",
        name.as_ref().map_or(String::new(), |name| format!(" ({name})"))
    )]
    GlobalDiffers {
        /// Its index.
        index: u32,
        /// The name it is exported by.
        name: Option<String>,
        /// Its value.
        now: String,
        /// Its initial value.
        initial: String,
    },
    /// The snapshot lists other globals than the module has.
    #[error(
        "its snapshot lists other globals than its module has, so that nobody can say what would be lost: use --via-snapshot"
    )]
    GlobalsUnknown,
    /// A timer would stop.
    #[error(
        "its global timer is set, and an upgrade switches it off: use --via-snapshot, which keeps it"
    )]
    TimerSet,
    /// The heap exceeds the limit in the settings.
    #[error(
        "its heap has {heap_bytes} bytes, more than its wasm_memory_limit of {limit_bytes}: no upgrade keeps such a heap; \
         set the limit to 0 first"
    )]
    HeapAboveLimit {
        /// Bytes of the heap.
        heap_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// Checks need answers from before.
    #[error(
        "it is stopped, and a stopped canister answers no checks: start it first, or leave --check out"
    )]
    StoppedAtFirst,
    /// A check that fails now proves nothing.
    #[error(
        "the check {check} is rejected before anything was changed ({rejection}): correct it, or leave it out"
    )]
    CheckRejected {
        /// The check.
        check: String,
        /// What was answered.
        rejection: String,
    },
    /// There is no module at all.
    #[error("it has no module")]
    Empty,
    /// It waits for answers to its own calls.
    #[error(
        "it does not stop: it waits for answers to its own calls. It was started again; run the same command later"
    )]
    DoesNotStop,
    /// Somebody else changed it meanwhile.
    #[error(
        "it runs module {found} where {expected} was expected: somebody else changed it. Nothing more is done; \
         look at its history before you go on"
    )]
    ForeignChange {
        /// The expected hash.
        expected: String,
        /// The found one.
        found: String,
    },
    /// The logbook knows no snapshot.
    #[error("the logbook names no snapshot to go back to")]
    NoWayBack,
    /// The logbook is about something else.
    #[error(
        "{path} is the logbook of {what}: name another with --logbook, or move it away if that is finished"
    )]
    OtherLogbook {
        /// The file.
        path: String,
        /// What it is of.
        what: String,
    },
    /// Stable memory cannot have that size.
    #[error(
        "stable memory of {wanted_bytes} bytes is more than the {most_bytes} a canister may have"
    )]
    TooMuchStable {
        /// What was asked for.
        wanted_bytes: u64,
        /// The limit.
        most_bytes: u64,
    },
}

//! Why a hook fails, as far as it decides what can be done about it.
//!
//! | trouble | what lifts it off chain |
//! |---|---|
//! | too many instructions | no limit, if the hook ever ends |
//! | beyond the end of stable memory | stable memory that grows |
//! | 32-bit functions beyond 4 GiB | a choice of what they reach |
//! | a forbidden system call | an answer to it |
//! | a heap that cannot grow | nothing: 32-bit addresses end off chain, too |
//! | the code's own decision, any other trap | nothing |

use engine::{ExecutionError, RulesUsed, TrapCode};
use std::fmt;

/// Log lines of a failed run that are shown.
const LOG_LINES_MAX: usize = 20;
/// Longest message of the code itself that is repeated, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

/// Why a hook fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It uses more instructions than it is given.
    Instructions {
        /// How many it is given.
        limit: u64,
    },
    /// It reaches beyond the end of stable memory.
    StableEnd,
    /// It uses the 32-bit functions on a stable memory beyond their 4 GiB.
    Narrow,
    /// It calls a system function that is forbidden there.
    Forbidden {
        /// The function, without `ic0.`.
        function: String,
    },
    /// Its heap cannot grow any further.
    HeapFull {
        /// Size of the heap before it ran, bytes.
        heap_bytes: u64,
    },
    /// It gives up by itself.
    GivesUp {
        /// Its words.
        message: String,
    },
    /// Anything else.
    Traps {
        /// The words of the system.
        message: String,
    },
}

impl Trouble {
    /// What `error` means, for code that ran over a heap of `heap_bytes` and used rules as `used` tells.
    pub(crate) fn of(error: &ExecutionError, used: &RulesUsed, heap_bytes: u64) -> Self {
        if let Some(function) = error.forbidden_function() {
            let function = function.to_string();
            return Self::Forbidden { function };
        }
        let trap = |code: &TrapCode| match code {
            TrapCode::StableMemoryTooBigFor32Bit => Some(Self::Narrow),
            TrapCode::StableMemoryOutOfBounds => Some(Self::StableEnd),
            _ => None,
        };
        match error {
            ExecutionError::InstructionLimitExceeded { limit } => {
                Self::Instructions { limit: *limit }
            }
            ExecutionError::Trapped { code, .. } if trap(code).is_some() => {
                trap(code).expect("BUG: it was asked for just now")
            }
            // Whatever the code says then: it said it because it was refused memory.
            ExecutionError::Trapped { .. } | ExecutionError::CalledTrap { .. }
                if used.heap_growths_refused > 0 =>
            {
                Self::HeapFull { heap_bytes }
            }
            ExecutionError::OutOfMemory => Self::HeapFull { heap_bytes },
            ExecutionError::CalledTrap { message, .. } => Self::GivesUp {
                message: shortened(message),
            },
            error => Self::Traps {
                message: shortened(&error.description()),
            },
        }
    }
}

fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_string(),
    }
}

/// In words that continue "the hook fails: it …".
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instructions { limit } => {
                write!(
                    f,
                    "uses more than {limit} instructions; whether it ever ends cannot be told"
                )
            }
            Self::StableEnd => f.write_str("reaches beyond the end of stable memory"),
            Self::Narrow => f.write_str(
                "uses the 32-bit stable memory functions, which end at 4 GiB, on a larger memory",
            ),
            Self::Forbidden { function } => {
                write!(f, "calls ic0.{function}, which is forbidden there")
            }
            Self::HeapFull { heap_bytes } => write!(
                f,
                "runs out of memory: its heap of {heap_bytes} bytes cannot grow by what it asks for, \
                 off chain as little as on chain"
            ),
            Self::GivesUp { message } => write!(f, "gives up by itself: {message}"),
            Self::Traps { message } => write!(f, "traps: {message}"),
        }
    }
}

/// What may help, and the last lines the code logged.
pub(crate) fn hint(trouble: &Trouble, logs: &[String]) -> String {
    let mut hint = String::new();
    let mut add = |text: &str| {
        hint.push('\n');
        hint.push_str(text);
    };
    match trouble {
        Trouble::Narrow => add(
            "it uses the 32-bit stable memory functions, which end at 4 GiB: choose what they \
             reach with --rule stable32=low (the first 4 GiB), fresh (an empty memory in the \
             place of the old one) or separate (an empty memory of their own)",
        ),
        Trouble::StableEnd => add("allow stable memory to grow with --rule stable=grows"),
        Trouble::Forbidden { .. } => {
            add("give the function an answer with --answer FUNCTION=VALUE (call=0 for calls)");
        }
        Trouble::Instructions { .. } => add("raise the limit with --rule instructions=NUMBER"),
        Trouble::HeapFull { .. } => add(
            "its heap cannot grow any further, and 32-bit code ends there off chain as well: go \
             on with its heap instead (`ic-rescue hotfix`)",
        ),
        Trouble::GivesUp { .. } | Trouble::Traps { .. } => {}
    }
    let first = logs.len().saturating_sub(LOG_LINES_MAX);
    for line in &logs[first..] {
        add(&format!("log: {line}"));
    }
    hint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trap_after_a_refused_growth_is_a_full_heap() {
        let unreachable = ExecutionError::Trapped {
            code: TrapCode::Unreachable,
            backtrace: None,
        };
        let mut used = RulesUsed::default();
        let plain = Trouble::of(&unreachable, &used, 65_536);
        assert!(matches!(plain, Trouble::Traps { .. }), "{plain:?}");
        used.heap_growths_refused = 1;
        assert_eq!(
            Trouble::of(&unreachable, &used, 65_536),
            Trouble::HeapFull { heap_bytes: 65_536 }
        );
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let message = "ü".repeat(MESSAGE_CHARS_MAX + 1);
        let error = ExecutionError::CalledTrap {
            message: format!("{message}\nmore"),
            backtrace: None,
        };
        let Trouble::GivesUp { message } = Trouble::of(&error, &RulesUsed::default(), 0) else {
            panic!("it gave up");
        };
        assert_eq!(message.chars().count(), MESSAGE_CHARS_MAX + 1);
        assert!(message.ends_with('…'));
    }
}

//! Why WebAssembly code was stopped, and the backtrace of it.

use std::fmt;

/// Why WebAssembly code was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrapCode {
    /// Recursion too deep.
    StackOverflow,
    /// Access beyond the heap.
    HeapOutOfBounds,
    /// Access beyond stable memory.
    StableMemoryOutOfBounds,
    /// 32-bit stable memory function on a memory beyond 4 GiB.
    StableMemoryTooBigFor32Bit,
    /// Integer division by zero.
    IntegerDivByZero,
    /// `unreachable`.
    Unreachable,
    /// Access beyond a table.
    TableOutOfBounds,
    /// 64-bit cycles function on an amount beyond 2^64.
    CyclesAmountTooBigFor64Bit,
    /// Anything else: float conversion, signed division overflow.
    Other,
}

impl fmt::Display for TrapCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StackOverflow => "stack overflow",
            Self::HeapOutOfBounds => "heap out of bounds",
            Self::StableMemoryOutOfBounds => "stable memory out of bounds",
            Self::StableMemoryTooBigFor32Bit => {
                "32 bit stable memory api used on a memory larger than 4GB"
            }
            Self::IntegerDivByZero => "integer division by 0",
            Self::Unreachable => "unreachable",
            Self::TableOutOfBounds => "table out of bounds",
            Self::CyclesAmountTooBigFor64Bit => "cycles amount exceeds 64-bit representation",
            Self::Other => "unknown",
        })
    }
}

/// The backtrace as it follows a text; empty without one.
pub(crate) fn backtrace_text(backtrace: &Option<Vec<String>>) -> String {
    match backtrace {
        None => String::new(),
        Some(names) => {
            let mut text = "\nCanister Backtrace:\n".to_string();
            for name in names {
                text.push_str(name);
                text.push('\n');
            }
            text
        }
    }
}

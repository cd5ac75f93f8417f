//! Rules that the Internet Computer changed, by the date of the change.

/// Which rules a network follows. The default is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Since August 2026 (dfinity/ic #11168): a heap that is kept by an upgrade or comes with a
    /// snapshot has to fit the module, or the operation is refused.
    pub checks_heap_size: bool,
}

impl Rules {
    /// The rules of the replica of 2025-10-31 (PocketIC 10.0.0).
    pub const OCTOBER_2025: Rules = Rules {
        checks_heap_size: false,
    };
    /// The rules since August 2026 (PocketIC 16).
    pub const AUGUST_2026: Rules = Rules {
        checks_heap_size: true,
    };
}

impl Default for Rules {
    fn default() -> Self {
        Rules::AUGUST_2026
    }
}

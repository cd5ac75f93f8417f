//! What follows an error's description: advice with a link, or a fixed sentence, or nothing.

use std::fmt;

const TOOLCHAIN_HELP: &str = "If you are running this canister in a test environment (e.g., dfx), \
     make sure the test environment is up to date. Otherwise, this is likely an error with the \
     compiler/CDK toolchain being used to build the canister. Please report the error to IC devs \
     on the forum: https://forum.dfinity.org and include which language/CDK was used to create \
     the canister.";

const INTERNAL_HELP: &str = "This is an internal error on the IC. Please report it to IC devs on \
     the forum: https://forum.dfinity.org";

/// The second part of an error text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Help {
    None,
    Toolchain,
    Internal,
    /// Suggestion and anchor in the execution errors reference.
    User(String, &'static str),
}

impl Help {
    pub(crate) fn user(suggestion: impl Into<String>, anchor: &'static str) -> Self {
        Self::User(suggestion.into(), anchor)
    }
}

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Toolchain => f.write_str(TOOLCHAIN_HELP),
            Self::Internal => f.write_str(INTERNAL_HELP),
            Self::User(suggestion, anchor) => write!(
                f,
                "{suggestion} See documentation: \
                 https://internetcomputer.org/docs/current/references/execution-errors#{anchor}"
            ),
        }
    }
}

/// Writes an error text of both parts.
pub(super) fn write_with_help(
    f: &mut fmt::Formatter<'_>,
    description: &str,
    help: &Help,
) -> fmt::Result {
    match help {
        Help::None => f.write_str(description),
        help => write!(f, "{description}.\n{help}"),
    }
}

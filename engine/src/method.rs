//! Names of the functions a canister module exports for the system to call.

use std::fmt;

/// How a public method is declared: the word between `canister_` and the method's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MethodKind {
    /// `canister_update <name>`
    Update,
    /// `canister_query <name>`
    Query,
    /// `canister_composite_query <name>`
    CompositeQuery,
}

impl MethodKind {
    /// The word as it stands in export names and in error texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Query => "query",
            Self::CompositeQuery => "composite_query",
        }
    }
}

/// An exported function of a canister module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// The function of the start section, run once after code was replaced.
    Start,
    /// `canister_init`
    Init,
    /// `canister_pre_upgrade`
    PreUpgrade,
    /// `canister_post_upgrade`
    PostUpgrade,
    /// `canister_inspect_message`
    InspectMessage,
    /// `canister_heartbeat`
    Heartbeat,
    /// `canister_global_timer`
    GlobalTimer,
    /// `canister_on_low_wasm_memory`
    OnLowWasmMemory,
    /// A public method.
    Public(MethodKind, String),
}

impl Method {
    /// Shorthand for a public update method.
    pub fn update(name: impl Into<String>) -> Self {
        Self::Public(MethodKind::Update, name.into())
    }

    /// Shorthand for a public query method.
    pub fn query(name: impl Into<String>) -> Self {
        Self::Public(MethodKind::Query, name.into())
    }

    /// Shorthand for a public composite query method.
    pub fn composite_query(name: impl Into<String>) -> Self {
        Self::Public(MethodKind::CompositeQuery, name.into())
    }

    /// The method an export name stands for, if it is one the system calls.
    pub fn from_export_name(name: &str) -> Option<Self> {
        Some(match name {
            "canister_start" => Self::Start,
            "canister_init" => Self::Init,
            "canister_pre_upgrade" => Self::PreUpgrade,
            "canister_post_upgrade" => Self::PostUpgrade,
            "canister_inspect_message" => Self::InspectMessage,
            "canister_heartbeat" => Self::Heartbeat,
            "canister_global_timer" => Self::GlobalTimer,
            "canister_on_low_wasm_memory" => Self::OnLowWasmMemory,
            _ => {
                let (kind, name) = name.strip_prefix("canister_")?.split_once(' ')?;
                let kind = match kind {
                    "update" => MethodKind::Update,
                    "query" => MethodKind::Query,
                    "composite_query" => MethodKind::CompositeQuery,
                    _ => return None,
                };
                Self::Public(kind, name.to_string())
            }
        })
    }

    /// The word for the kind of method in "Canister has no … method" texts.
    pub(crate) fn kind_word(&self) -> &'static str {
        match self {
            Self::Public(kind, _) => kind.as_str(),
            _ => "system",
        }
    }

    /// The name in error texts: a public method's own name, else the export name.
    pub(crate) fn short_name(&self) -> String {
        match self {
            Self::Public(_, name) => name.clone(),
            other => other.to_string(),
        }
    }
}

/// The export name.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("canister_start"),
            Self::Init => f.write_str("canister_init"),
            Self::PreUpgrade => f.write_str("canister_pre_upgrade"),
            Self::PostUpgrade => f.write_str("canister_post_upgrade"),
            Self::InspectMessage => f.write_str("canister_inspect_message"),
            Self::Heartbeat => f.write_str("canister_heartbeat"),
            Self::GlobalTimer => f.write_str("canister_global_timer"),
            Self::OnLowWasmMemory => f.write_str("canister_on_low_wasm_memory"),
            Self::Public(kind, name) => write!(f, "canister_{} {name}", kind.as_str()),
        }
    }
}

//! Which upgrade hooks the deployed module has, as far as that can be known without trying an upgrade.
//!
//! ```text
//! --module FILE ─── has the deployed hash? ───► its exports
//! newest snapshot ─ its module has it? ───────► its exports
//! neither ────────► not known, and how to find out
//! ```
//!
//! A module of another hash tells nothing about the deployed one. Nothing is changed.

use crate::error::CliError;
use crate::management::Management;
use crate::modules::Module;
use crate::pair;
use std::fmt;
use surgery::{POST_UPGRADE, PRE_UPGRADE, exports};

/// What is known about the hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hooks {
    /// Read out of the deployed module.
    Read {
        /// Their names: none, one or two.
        names: Vec<String>,
        /// Where the module was.
        source: String,
    },
    /// The canister holds no module at all.
    NoModule,
    /// A module of the pair is in place, which has none.
    Swapped {
        /// What is known of the canister's own module.
        own: Option<Box<Hooks>>,
    },
    /// The deployed module could not be had.
    Unknown {
        /// Why, for each place that was looked at.
        reasons: Vec<String>,
    },
}

impl Hooks {
    /// Those of the module with the hash `deployed`: in `given`, or else in the newest snapshot that `management` may
    /// read.
    ///
    /// # Errors
    /// When `given` is no module.
    pub async fn find(
        deployed: Option<&[u8]>,
        given: Option<&Module>,
        management: Option<&Management<'_>>,
    ) -> Result<Self, CliError> {
        let Some(deployed) = deployed else {
            return Ok(Self::NoModule);
        };
        let mut reasons = Vec::new();
        if let Some(given) = given {
            match Self::of(given, deployed)? {
                Some(hooks) => return Ok(hooks),
                None => reasons.push(format!(
                    "{} is another module: its SHA-256 is {}",
                    given.name,
                    hex::encode(given.sha256)
                )),
            }
        }
        let swapped = pair::is_embedded(deployed);
        match newest(management).await {
            Ok(held) => match Self::of(&held, deployed)? {
                Some(hooks) => return Ok(hooks),
                None if swapped => {
                    let own = Self::of(&held, &held.sha256)?.map(Box::new);
                    return Ok(Self::Swapped { own });
                }
                None => reasons.push(format!("{} holds another module", held.name)),
            },
            Err(_) if swapped => return Ok(Self::Swapped { own: None }),
            Err(reason) => reasons.push(reason),
        }
        Ok(Self::Unknown { reasons })
    }

    /// Those of `module`, if it is the one with the hash `deployed`.
    fn of(module: &Module, deployed: &[u8]) -> Result<Option<Self>, CliError> {
        if module.sha256 != *deployed {
            return Ok(None);
        }
        let mut names = exports::functions(&module.wasm).map_err(|error| module.error(error))?;
        names.retain(|name| [PRE_UPGRADE, POST_UPGRADE].contains(&name.as_str()));
        Ok(Some(Self::Read {
            names,
            source: module.name.clone(),
        }))
    }
}

/// The module in the newest snapshot; otherwise why there is none to read.
async fn newest(management: Option<&Management<'_>>) -> Result<Module, String> {
    let Some(management) = management else {
        return Err("only a controller may look into its snapshots".into());
    };
    let words = |error: CliError| error.to_string();
    let snapshots = management.snapshots().await.map_err(words)?;
    let Some(newest) = snapshots.last() else {
        return Err("it has no snapshot to read the module from".into());
    };
    let name = format!("snapshot {}", hex::encode(&newest.id));
    let unread = |error: CliError| format!("{name} cannot be read: {error}");
    let metadata = management
        .snapshot_metadata(&newest.id)
        .await
        .map_err(unread)?;
    let bytes = management
        .snapshot_module(&newest.id, metadata.wasm_module_size)
        .await
        .map_err(unread)?;
    Module::named(name.clone(), bytes).map_err(unread)
}

impl fmt::Display for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoModule => f.write_str("none: there is no module"),
            Self::Read { names, source } => {
                let names = match names.as_slice() {
                    [] => "none: an upgrade runs no code of the deployed module".to_string(),
                    names => names.join(", "),
                };
                write!(f, "{names} (read out of {source})")
            }
            Self::Swapped { own } => {
                f.write_str("none now: a module of ic-rescue is in place; its own module: ")?;
                match own {
                    Some(own) => own.fmt(f),
                    None => f.write_str("not known"),
                }
            }
            Self::Unknown { reasons } => write!(
                f,
                "not known: {}; to find out, give the deployed module with --module FILE, or take a snapshot \
                 (ic-rescue snapshot create) and diagnose again",
                reasons.join("; ")
            ),
        }
    }
}

/// The last trap that a log tells of, its first line; none if it tells of none.
pub fn last_trap(log: &[String]) -> Option<&str> {
    const MARK: &str = "[TRAP]: ";
    let record = log.iter().rev().find_map(|line| line.strip_prefix(MARK))?;
    record.lines().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with these exported functions.
    fn module(names: &[&str]) -> Module {
        // One type, one function of it, exported under each name, with an empty body.
        let mut exports = vec![names.len() as u8];
        for name in names {
            exports.push(name.len() as u8);
            exports.extend(name.bytes());
            exports.extend([0, 0]);
        }
        let mut wasm = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07".to_vec();
        wasm.push(exports.len() as u8);
        wasm.extend(exports);
        wasm.extend(b"\x0a\x04\x01\x02\0\x0b");
        Module::named("deployed.wasm".into(), wasm).unwrap()
    }

    async fn told(deployed: Option<&[u8]>, given: Option<&Module>) -> String {
        Hooks::find(deployed, given, None)
            .await
            .unwrap()
            .to_string()
    }

    #[tokio::test]
    async fn hooks_are_read_out_of_the_deployed_module_only() {
        let broken = module(&["canister_pre_upgrade", "canister_query size"]);
        let plain = module(&["canister_query size"]);
        assert_eq!(
            told(Some(&broken.sha256), Some(&broken)).await,
            "canister_pre_upgrade (read out of deployed.wasm)"
        );
        assert_eq!(
            told(Some(&plain.sha256), Some(&plain)).await,
            "none: an upgrade runs no code of the deployed module (read out of deployed.wasm)"
        );
        let other = told(Some(&broken.sha256), Some(&plain)).await;
        for part in ["not known", "is another module", "--module FILE"] {
            assert!(other.contains(part), "{other}");
        }
        assert_eq!(told(None, Some(&plain)).await, "none: there is no module");
    }

    #[test]
    fn the_last_trap_is_found_in_the_log() {
        let log = [
            "[TRAP]: first",
            "a note",
            "[TRAP]: second\nbacktrace",
            "[TRAP] is a word",
        ];
        let log = log.map(str::to_string);
        assert_eq!(last_trap(&log), Some("second"));
        assert_eq!(last_trap(&log[1..2]), None);
    }
}

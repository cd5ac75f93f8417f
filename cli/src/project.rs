//! Names as users know them: identities and canisters of dfx and icp projects, looked up in the tools' own
//! files. Reads only.
//!
//! | what | dfx | icp |
//! |---|---|---|
//! | identity NAME | `~/.config/dfx/identity/NAME/identity.pem` | `$ICP_HOME` or `~/.local/share/icp-cli`, then `identity/keys/NAME.pem` |
//! | canister NAME on ic | `canister_ids.json`: `{NAME: {"ic": id}}` | `.icp/data/mappings/ic.ids.json`: `{NAME: id}` |
//! | canister NAME, local | `.dfx/local/canister_ids.json`: `{NAME: {"local": id}}` | `.icp/cache/mappings/local.ids.json`: `{NAME: id}` |
//!
//! Project files are looked for in the current folder and those above it.

use crate::error::CliError;
use crate::network::{Network, RootKey};
use candid::Principal;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The files that may hold the identity `name`, in the order in which they are tried.
pub fn identity_files(name: &str, variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let home = variable("HOME");
    let config = variable("XDG_CONFIG_HOME").or(home.as_ref().map(|home| home.join(".config")));
    let data = variable("XDG_DATA_HOME").or(home.as_ref().map(|home| home.join(".local/share")));
    let dfx = config.map(|config| config.join("dfx/identity").join(name).join("identity.pem"));
    let icp_home = variable("ICP_HOME").or(data.map(|data| data.join("icp-cli")));
    let icp = icp_home.map(|icp| icp.join("identity/keys").join(format!("{name}.pem")));
    [dfx, icp].into_iter().flatten().collect()
}

/// Understands a canister id or the name of a canister of the project in `folder`.
///
/// # Errors
/// [`CliError::BadPrincipal`] when it is neither, [`CliError::AmbiguousName`] when dfx and icp know different
/// canisters by that name.
pub fn canister(text: &str, network: &Network, folder: &Path) -> Result<Principal, CliError> {
    if let Ok(id) = Principal::from_text(text) {
        return Ok(id);
    }
    let label = match (network.name().as_str(), &network.root_key) {
        ("ic", _) => "ic",
        (_, RootKey::Fetched) => "local",
        _ => {
            return Err(CliError::BadPrincipal {
                text: text.to_string(),
            });
        }
    };
    let (dfx, icp) = match label {
        "ic" => ("canister_ids.json", ".icp/data/mappings/ic.ids.json"),
        _ => (
            ".dfx/local/canister_ids.json",
            ".icp/cache/mappings/local.ids.json",
        ),
    };
    let mut found: Vec<(PathBuf, Principal)> = Vec::new();
    for root in folder.ancestors() {
        for (file, keys) in [(dfx, vec![text, label]), (icp, vec![text])] {
            let path = root.join(file);
            let json = std::fs::read(&path).ok();
            let json: Option<Value> = json.and_then(|json| serde_json::from_slice(&json).ok());
            let id = json.and_then(|json| {
                let id = keys.iter().try_fold(&json, |value, key| value.get(key))?;
                Principal::from_text(id.as_str()?).ok()
            });
            found.extend(id.map(|id| (path, id)));
        }
        if !found.is_empty() {
            break;
        }
    }
    match found.as_slice() {
        [] => Err(CliError::BadPrincipal {
            text: text.to_string(),
        }),
        [(_, id)] => Ok(*id),
        [(_, first), (_, second), ..] if first == second => Ok(*first),
        [(first, _), (second, _), ..] => Err(CliError::AmbiguousName {
            name: text.to_string(),
            first: first.clone(),
            second: second.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const ONE: &str = "bkyz2-fmaaa-aaaaa-qaaaq-cai";
    const TWO: &str = "bd3sg-teaaa-aaaaa-qaaba-cai";

    fn put(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn find(root: &Path, name: &str, network: &str) -> Result<String, CliError> {
        let network = Network::parse(network, None).unwrap();
        canister(name, &network, &root.join("src/deep")).map(|id| id.to_text())
    }

    #[test]
    fn names_of_dfx_and_icp_projects_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        put(
            root,
            "canister_ids.json",
            &format!(r#"{{"ledger": {{"ic": "{ONE}"}}}}"#),
        );
        put(
            root,
            ".dfx/local/canister_ids.json",
            &format!(r#"{{"ledger": {{"local": "{TWO}"}}}}"#),
        );
        put(
            root,
            ".icp/cache/mappings/local.ids.json",
            &format!(r#"{{"wallet": "{ONE}"}}"#),
        );
        assert_eq!(find(root, "ledger", "ic").unwrap(), ONE);
        assert_eq!(find(root, "ledger", "local").unwrap(), TWO);
        assert_eq!(find(root, "wallet", "http://127.0.0.1:8000").unwrap(), ONE);
        assert!(matches!(
            find(root, "wallet", "ic"),
            Err(CliError::BadPrincipal { .. })
        ));
        assert_eq!(find(root, TWO, "ic").unwrap(), TWO, "an id is an id");
    }

    #[test]
    fn two_meanings_of_a_name_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        put(
            dir.path(),
            "canister_ids.json",
            &format!(r#"{{"ledger": {{"ic": "{ONE}"}}}}"#),
        );
        put(
            dir.path(),
            ".icp/data/mappings/ic.ids.json",
            &format!(r#"{{"ledger": "{TWO}"}}"#),
        );
        assert!(matches!(
            find(dir.path(), "ledger", "ic"),
            Err(CliError::AmbiguousName { .. })
        ));
    }

    #[test]
    fn identities_are_where_the_tools_keep_them() {
        let files = identity_files("me", |name| (name == "HOME").then(|| "/home/me".into()));
        assert_eq!(
            files,
            [
                "/home/me/.config/dfx/identity/me/identity.pem",
                "/home/me/.local/share/icp-cli/identity/keys/me.pem"
            ]
            .map(PathBuf::from)
        );
    }
}

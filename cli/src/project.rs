//! Names as users know them: identities and canisters of dfx and icp projects, looked up in the tools' own
//! files. Reads only.
//!
//! | what | dfx | icp |
//! |---|---|---|
//! | identity NAME | `~/.config/dfx/identity/NAME/`, there `identity.pem` or `identity.pem.encrypted` | `$ICP_HOME` or `~/.local/share/icp-cli`, then `identity/keys/NAME.pem` |
//! | default identity | `~/.config/dfx/identity.json`: `{"default": NAME}` | `identity/identity_defaults.json` there: `{"default": NAME}` |
//! | canister NAME on ic | `canister_ids.json`: `{NAME: {"ic": id}}` | `.icp/data/mappings/ic.ids.json`: `{NAME: id}` |
//! | canister NAME, local | `.dfx/local/canister_ids.json`: `{NAME: {"local": id}}` | `.icp/cache/mappings/local.ids.json`: `{NAME: id}` |
//!
//! Project files are looked for in the current folder and those above it.

use crate::error::CliError;
use crate::identity::DFX_ENCRYPTED_FILE;
use crate::network::{Network, RootKey};
use candid::Principal;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Name of the identity of both tools that signs nothing: never a default of ours.
const ANONYMOUS: &str = "anonymous";

/// Folders in which the tools keep identities.
struct Homes {
    dfx: Option<PathBuf>,
    icp: Option<PathBuf>,
}

impl Homes {
    fn of(variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let home = variable("HOME");
        let below = |folder: &str| home.as_ref().map(|home| home.join(folder));
        let config = variable("XDG_CONFIG_HOME").or(below(".config"));
        let data = variable("XDG_DATA_HOME").or(below(".local/share"));
        Self {
            dfx: config.map(|config| config.join("dfx")),
            icp: variable("ICP_HOME").or(data.map(|data| data.join("icp-cli"))),
        }
    }

    fn dfx_identity(&self, name: &str) -> [Option<PathBuf>; 2] {
        let folder = self.dfx.as_ref().map(|dfx| dfx.join("identity").join(name));
        ["identity.pem", DFX_ENCRYPTED_FILE].map(|file| Some(folder.as_ref()?.join(file)))
    }

    fn icp_identity(&self, name: &str) -> Option<PathBuf> {
        let icp = self.icp.as_ref()?;
        Some(icp.join("identity/keys").join(format!("{name}.pem")))
    }
}

/// The files that may hold the identity `name`, in the order in which they are tried.
pub fn identity_files(name: &str, variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    let homes = Homes::of(variable);
    let dfx = homes.dfx_identity(name).into_iter();
    dfx.chain([homes.icp_identity(name)]).flatten().collect()
}

/// The identities that the tools use if nothing is said and that are kept as files: in words, and the file.
pub fn default_identities(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<(String, PathBuf)> {
    let homes = Homes::of(variable);
    let named = |file: Option<PathBuf>| {
        let json: Value = serde_json::from_slice(&std::fs::read(file?).ok()?).ok()?;
        let name = json.get("default")?.as_str()?.to_string();
        (name != ANONYMOUS).then_some(name)
    };
    let dfx = named(homes.dfx.as_ref().map(|dfx| dfx.join("identity.json"))).and_then(|name| {
        let mut files = homes.dfx_identity(&name).into_iter().flatten();
        let file = files.find(|file| file.exists())?;
        Some((format!("`{name}` of dfx"), file))
    });
    let defaults = homes
        .icp
        .as_ref()
        .map(|icp| icp.join("identity/identity_defaults.json"));
    let icp = named(defaults).and_then(|name| {
        let file = homes.icp_identity(&name)?;
        Some((format!("`{name}` of icp"), file))
    });
    let kept = |(_, file): &(String, PathBuf)| file.exists();
    [dfx, icp].into_iter().flatten().filter(kept).collect()
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
    let unknown = |looked: String| CliError::BadPrincipal {
        text: text.to_string(),
        looked,
    };
    let label = match (network.name().as_str(), &network.root_key) {
        ("ic", _) => "ic",
        (_, RootKey::Fetched) => "local",
        (url, _) => {
            return Err(unknown(format!(
                "no project file says which canisters are at {url}"
            )));
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
        [] => Err(unknown(format!(
            "looked for {dfx} and {icp} in {} and above",
            folder.display()
        ))),
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
    fn an_unknown_name_says_where_was_looked() {
        let dir = tempfile::tempdir().unwrap();
        let local = find(dir.path(), "wallet", "local").unwrap_err().to_string();
        assert!(local.contains("`wallet`"), "{local}");
        assert!(local.contains(".dfx/local/canister_ids.json"), "{local}");
        assert!(local.contains(&dir.path().display().to_string()), "{local}");
        let far = find(dir.path(), "wallet", "https://example.com");
        let far = far.unwrap_err().to_string();
        assert!(far.contains("https://example.com/"), "{far}");
    }

    #[test]
    fn the_tools_default_identities_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_path_buf();
        let found = || default_identities(|name| (name == "HOME").then(|| home.clone()));
        assert_eq!(found(), []);
        put(
            dir.path(),
            ".config/dfx/identity.json",
            r#"{"default": "me"}"#,
        );
        assert_eq!(found(), [], "it has no file");
        put(dir.path(), ".config/dfx/identity/me/identity.pem", "");
        let keys = ".local/share/icp-cli/identity";
        put(
            dir.path(),
            &format!("{keys}/identity_defaults.json"),
            r#"{"v": 1, "default": "anonymous"}"#,
        );
        put(dir.path(), &format!("{keys}/keys/anonymous.pem"), "");
        assert_eq!(found().len(), 1, "anonymous is nobody's default of ours");
        put(
            dir.path(),
            &format!("{keys}/identity_defaults.json"),
            r#"{"v": 1, "default": "you"}"#,
        );
        put(dir.path(), &format!("{keys}/keys/you.pem"), "");
        let names: Vec<String> = found().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["`me` of dfx", "`you` of icp"]);
    }

    #[test]
    fn identities_are_where_the_tools_keep_them() {
        let files = identity_files("me", |name| (name == "HOME").then(|| "/home/me".into()));
        assert_eq!(
            files,
            [
                "/home/me/.config/dfx/identity/me/identity.pem",
                "/home/me/.config/dfx/identity/me/identity.pem.encrypted",
                "/home/me/.local/share/icp-cli/identity/keys/me.pem"
            ]
            .map(PathBuf::from)
        );
    }
}

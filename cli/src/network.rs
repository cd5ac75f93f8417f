//! Where the canister lives: `ic`, `local` or a URL, and whose root key vouches for it.

use crate::error::CliError;

/// Boundary nodes of the Internet Computer.
const MAINNET_URL: &str = "https://icp-api.io/";
/// Where a local network of dfx listens.
const LOCAL_URL: &str = "http://127.0.0.1:4943/";

/// A network that canisters live on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Base URL, with a slash at its end.
    pub url: String,
    /// Where the root key comes from.
    pub root_key: RootKey,
}

/// Where the root key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootKey {
    /// The key of the Internet Computer, known beforehand.
    Mainnet,
    /// Asked for over the wire: proves nothing, so only for networks on this machine.
    Fetched,
    /// Given by the user.
    Given(Vec<u8>),
}

impl Network {
    /// Understands the value of `--network` and `--root-key`.
    ///
    /// # Errors
    /// [`CliError::BadNetwork`] or [`CliError::BadRootKey`].
    pub fn parse(name: &str, root_key: Option<&str>) -> Result<Self, CliError> {
        let mut url = match name {
            "ic" => MAINNET_URL.to_string(),
            "local" => LOCAL_URL.to_string(),
            url if url.starts_with("http://") || url.starts_with("https://") => url.to_string(),
            other => {
                return Err(CliError::BadNetwork {
                    name: other.to_string(),
                });
            }
        };
        if !url.ends_with('/') {
            url.push('/');
        }
        let root_key = match root_key {
            Some(text) => {
                RootKey::Given(hex::decode(text.trim()).map_err(|_| CliError::BadRootKey)?)
            }
            None if is_on_this_machine(&url) => RootKey::Fetched,
            None => RootKey::Mainnet,
        };
        Ok(Self { url, root_key })
    }

    /// How a manifest names the network.
    pub fn name(&self) -> String {
        if self.url == MAINNET_URL {
            "ic".into()
        } else {
            self.url.clone()
        }
    }
}

/// Whether the URL's host is this machine.
fn is_on_this_machine(url: &str) -> bool {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = after_scheme
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default();
    let host_and_port = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host = match host_and_port.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host_and_port.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_key_is_fetched_from_this_machine_only() {
        for (name, expected) in [
            ("ic", RootKey::Mainnet),
            ("local", RootKey::Fetched),
            ("http://127.0.0.1:8000/instances/0/", RootKey::Fetched),
            ("http://[::1]:8000", RootKey::Fetched),
            ("http://localhost:8000", RootKey::Fetched),
            ("https://icp0.io", RootKey::Mainnet),
            ("http://localhost.example.com", RootKey::Mainnet),
            ("http://localhost@example.com", RootKey::Mainnet),
            ("http://192.168.0.1:4943", RootKey::Mainnet),
        ] {
            assert_eq!(
                Network::parse(name, None).unwrap().root_key,
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn a_url_ends_with_a_slash() {
        let network = Network::parse("http://127.0.0.1:8000/instances/0", None).unwrap();
        assert_eq!(network.url, "http://127.0.0.1:8000/instances/0/");
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert!(matches!(
            Network::parse("mainet", None),
            Err(CliError::BadNetwork { .. })
        ));
        assert!(matches!(
            Network::parse("ic", Some("0x12")),
            Err(CliError::BadRootKey)
        ));
    }
}

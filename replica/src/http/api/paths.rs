//! Paths of the state tree: which exist, and who may ask for them where.

use super::{Reply, Version};
use crate::core::api::{EffectivePrincipal, MessageId};
use candid::Principal;

/// Most paths of one request (interface specification, read state).
const MAX_PATHS: usize = 1_000;

/// Most labels of one path (interface specification, read state).
const MAX_LABELS: usize = 127;

/// A path that leads into a part of the tree this network has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// `/time`; in every answer anyway.
    Time,
    /// `/api_boundary_nodes/…`; there are none, which is what the answer proves.
    ApiBoundaryNodes,
    /// `/subnet`.
    Subnets,
    /// `/subnet/<id>` or anything below but metrics.
    Subnet(Principal),
    /// `/subnet/<id>/metrics`.
    SubnetMetrics,
    /// `/canister_ranges/<id>`.
    CanisterRanges(Principal),
    /// `/canister/<id>/<leaf>`.
    Canister(Principal, CanisterLeaf),
    /// `/request_status/<id>` or anything below.
    RequestStatus(MessageId),
}

/// What the tree holds about a canister.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CanisterLeaf {
    /// SHA-256 of the installed module.
    ModuleHash,
    /// The controllers, CBOR.
    Controllers,
    /// When the canister was created.
    CreationTimestamp,
    /// When code was last installed.
    LastInstallTimestamp,
    /// An `icp:` custom section.
    Metadata(String),
}

/// What decides whether a path may be asked for.
#[derive(Clone, Copy, Debug)]
pub struct PathRules {
    /// The canister or subnet in the URL.
    pub effective: EffectivePrincipal,
    /// The version in the URL.
    pub version: Version,
    /// The subnet that shows its flat ranges in every version.
    pub root_subnet: Principal,
}

impl PathRules {
    /// Understands all paths of a request, or says why one is refused.
    pub fn parse_all(&self, paths: &[Vec<&[u8]>]) -> Result<Vec<Path>, Reply> {
        if paths.len() > MAX_PATHS {
            return Err(Reply::text(
                400,
                format!(
                    "Too many paths in read state request: got {} paths, but at most {MAX_PATHS} are allowed.",
                    paths.len()
                ),
            ));
        }
        let mut parsed = Vec::with_capacity(paths.len());
        for path in paths {
            let path = self.parse(path)?;
            if let Path::RequestStatus(id) = &path {
                let other = parsed.iter().find_map(|earlier| match earlier {
                    Path::RequestStatus(other) if other != id => Some(other),
                    _ => None,
                });
                if let Some(other) = other {
                    return Err(Reply::text(
                        400,
                        format!(
                            "More than one non-unique request ID exists in request_status paths: 0x{} and 0x{}.",
                            hex::encode(other),
                            hex::encode(id)
                        ),
                    ));
                }
            }
            parsed.push(path);
        }
        Ok(parsed)
    }

    fn parse(&self, path: &[&[u8]]) -> Result<Path, Reply> {
        if path.len() > MAX_LABELS {
            return Err(Reply::text(
                400,
                format!(
                    "At least one path in read state request is too deep: got {} labels, but at most {MAX_LABELS} are \
                     allowed.",
                    path.len()
                ),
            ));
        }
        match path {
            [b"time"] => Ok(Path::Time),
            [b"api_boundary_nodes"] | [b"api_boundary_nodes", _] => Ok(Path::ApiBoundaryNodes),
            [
                b"api_boundary_nodes",
                _,
                b"domain" | b"ipv4_address" | b"ipv6_address",
            ] => Ok(Path::ApiBoundaryNodes),
            [b"subnet"] => Ok(Path::Subnets),
            [b"subnet", id]
            | [b"subnet", id, b"public_key" | b"node" | b"type"]
            | [b"subnet", id, b"node", _]
            | [b"subnet", id, b"node", _, b"public_key"] => Ok(Path::Subnet(parse_principal(id)?)),
            [b"subnet", id, b"canister_ranges"] if self.shows_flat_ranges(parse_principal(id)?) => {
                Ok(Path::Subnet(parse_principal(id)?))
            }
            _ => match self.effective {
                EffectivePrincipal::Subnet(subnet) => parse_below_subnet(path, subnet),
                EffectivePrincipal::Canister(canister) => parse_below_canister(path, canister),
                EffectivePrincipal::None => Err(invalid_path()),
            },
        }
    }

    /// Whether `/subnet/<subnet>/canister_ranges` may be seen.
    pub fn shows_flat_ranges(&self, subnet: Principal) -> bool {
        self.version == Version::V2 || subnet == self.root_subnet
    }
}

/// Paths that only the subnet form of the URL may ask for.
fn parse_below_subnet(path: &[&[u8]], subnet: Principal) -> Result<Path, Reply> {
    match path {
        [b"canister_ranges", id] => Ok(Path::CanisterRanges(parse_principal(id)?)),
        [b"subnet", id, b"metrics"] => {
            check_same(parse_principal(id)?, subnet)?;
            Ok(Path::SubnetMetrics)
        }
        _ => Err(invalid_path()),
    }
}

/// Paths that only the canister form of the URL may ask for.
fn parse_below_canister(path: &[&[u8]], effective: Principal) -> Result<Path, Reply> {
    let (id, leaf) = match path {
        [b"canister", id, b"module_hash"] => (id, CanisterLeaf::ModuleHash),
        [b"canister", id, b"controllers"] => (id, CanisterLeaf::Controllers),
        [b"canister", id, b"canister_creation_timestamp"] => (id, CanisterLeaf::CreationTimestamp),
        [b"canister", id, b"last_install_timestamp"] => (id, CanisterLeaf::LastInstallTimestamp),
        [b"canister", id, b"metadata", name] => {
            let name = String::from_utf8(name.to_vec()).map_err(|error| {
                Reply::text(
                    400,
                    format!("Could not parse the custom section name: {error}."),
                )
            })?;
            (id, CanisterLeaf::Metadata(name))
        }
        [b"request_status", id]
        | [
            b"request_status",
            id,
            b"status" | b"reply" | b"reject_code" | b"reject_message" | b"error_code",
        ] => {
            return match MessageId::try_from(*id) {
                Ok(id) => Ok(Path::RequestStatus(id)),
                Err(_) => Err(Reply::text(
                    400,
                    "Invalid request id in paths. Maybe the request ID is not of 32 bytes in length?!",
                )),
            };
        }
        _ => return Err(invalid_path()),
    };
    let canister = parse_principal(id)?;
    check_same(canister, effective)?;
    Ok(Path::Canister(canister, leaf))
}

fn invalid_path() -> Reply {
    Reply::text(404, "Invalid path requested.")
}

fn parse_principal(bytes: &[u8]) -> Result<Principal, Reply> {
    Principal::try_from_slice(bytes)
        .map_err(|error| Reply::text(400, format!("Could not parse principal ID: {error}.")))
}

fn check_same(requested: Principal, effective: Principal) -> Result<(), Reply> {
    if requested == effective {
        return Ok(());
    }
    Err(Reply::text(
        400,
        format!(
            "Effective principal id in URL {effective} does not match requested principal id: {requested}."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(byte: u8) -> Principal {
        Principal::from_slice(&[byte])
    }

    fn rules(effective: EffectivePrincipal, version: Version) -> PathRules {
        PathRules {
            effective,
            version,
            root_subnet: principal(9),
        }
    }

    fn status(rules: PathRules, paths: &[Vec<&[u8]>]) -> u16 {
        rules
            .parse_all(paths)
            .map_or_else(|reply| reply.status, |_| 200)
    }

    #[test]
    fn a_canister_is_read_through_its_own_url_only() {
        let rules = rules(EffectivePrincipal::Canister(principal(1)), Version::V3);
        let path = |id: u8| {
            vec![vec![
                b"canister".to_vec(),
                vec![id],
                b"module_hash".to_vec(),
            ]]
        };
        for (id, expected) in [(1, 200), (2, 400)] {
            let owned = path(id);
            let borrowed: Vec<Vec<&[u8]>> = owned
                .iter()
                .map(|path| path.iter().map(Vec::as_slice).collect())
                .collect();
            assert_eq!(status(rules, &borrowed), expected);
        }
    }

    #[test]
    fn flat_ranges_are_shown_in_v2_and_of_the_root_subnet() {
        let canister = EffectivePrincipal::Canister(principal(1));
        let path = |id| vec![vec![&b"subnet"[..], id, b"canister_ranges"]];
        assert_eq!(status(rules(canister, Version::V2), &path(&[3])), 200);
        assert_eq!(status(rules(canister, Version::V3), &path(&[3])), 404);
        assert_eq!(status(rules(canister, Version::V3), &path(&[9])), 200);
    }

    #[test]
    fn one_request_reads_the_status_of_one_request() {
        let rules = rules(EffectivePrincipal::Canister(principal(1)), Version::V3);
        let (one, two) = ([1u8; 32], [2u8; 32]);
        let path = |id: &'static str| vec![&b"request_status"[..], id.as_bytes()];
        assert_eq!(
            status(
                rules,
                &[
                    vec![b"request_status", &one],
                    vec![b"request_status", &one, b"reply"]
                ]
            ),
            200
        );
        assert_eq!(
            status(
                rules,
                &[vec![b"request_status", &one], vec![b"request_status", &two]]
            ),
            400
        );
        assert_eq!(status(rules, &[path("short")]), 400);
    }

    #[test]
    fn other_paths_do_not_exist() {
        let canister = rules(EffectivePrincipal::Canister(principal(1)), Version::V3);
        let subnet = rules(EffectivePrincipal::Subnet(principal(5)), Version::V3);
        assert_eq!(
            status(canister, &[vec![b"canister", &[1], b"certified_data"]]),
            404
        );
        assert_eq!(status(canister, &[vec![b"canister_ranges", &[5]]]), 404);
        assert_eq!(status(subnet, &[vec![b"canister_ranges", &[5]]]), 200);
        assert_eq!(
            status(subnet, &[vec![b"canister", &[1], b"module_hash"]]),
            404
        );
        assert_eq!(status(canister, &vec![vec![&b"time"[..]]; 1_001]), 400);
    }
}

//! Reads of certified state: the requested part of the state tree, signed.

use super::envelope::Parsed;
use super::{Reply, Target, delegation_form, not_routed, paths};
use crate::auth::{Sender, Targets};
use crate::cert::{DelegationForm, StateTree, insert_flat_ranges, insert_sharded_ranges};
use crate::core::api::{EffectivePrincipal, IngressState, IngressStatus};
use crate::faults::Endpoint;
use crate::http::reject::error_code_name;
use crate::server::{Hosted, HostedSubnet};
use candid::Principal;
use ic_transport_types::{EnvelopeContent, ReadStateResponse};
use paths::{CanisterLeaf, Path, PathRules};

/// Answers a read of state, below a canister or below a subnet.
pub fn answer(hosted: &Hosted, target: &Target, parsed: &Parsed) -> Reply {
    match execute(hosted, target, parsed) {
        Ok(reply) | Err(reply) => reply,
    }
}

fn execute(hosted: &Hosted, target: &Target, parsed: &Parsed) -> Result<Reply, Reply> {
    let EnvelopeContent::ReadState { paths, .. } = parsed.content() else {
        return Err(Reply::text(
            400,
            "Failed to deserialize cbor request: not a read_state",
        ));
    };
    let subnet = hosted
        .route(&target.effective)
        .ok_or_else(|| not_routed(target))?;
    let rules = PathRules {
        effective: target.effective,
        version: target.version,
        root_subnet: hosted.certifier().root_subnet_id(),
    };
    let labels: Vec<Vec<&[u8]>> = paths
        .iter()
        .map(|path| path.iter().map(|label| label.as_bytes()).collect())
        .collect();
    let wanted = rules.parse_all(&labels)?;
    // A subnet's state holds nothing private: like the replica, take such a read from anybody.
    let sender = match target.effective {
        EffectivePrincipal::Subnet(_) => Sender {
            principal: Principal::anonymous(),
            targets: Targets::All,
        },
        _ => parsed.authenticate(hosted)?,
    };
    for path in &wanted {
        check_access(hosted, path, &sender)?;
    }
    let time_ns = hosted.certified_time_ns();
    let mut tree = StateTree::at_time(time_ns);
    for path in &wanted {
        insert(hosted, &subnet, path, &rules, &mut tree)?;
    }
    let form = delegation_form(target, Endpoint::ReadState);
    let certificate = hosted
        .certifier()
        .certify(&subnet.root_of_trust(), &tree, form, time_ns);
    Ok(Reply::cbor(&ReadStateResponse { certificate }))
}

/// Request status and private metadata are for those they concern.
fn check_access(hosted: &Hosted, path: &Path, sender: &Sender) -> Result<(), Reply> {
    match path {
        Path::RequestStatus(id) => {
            let Some(status) = hosted.ingress_status(id) else {
                return Ok(());
            };
            if status.sender != sender.principal {
                return Err(Reply::text(
                    403,
                    "The user tries to access Request ID not signed by the caller.",
                ));
            }
            if !sender.targets.contains(&status.receiver) {
                return Err(Reply::text(
                    403,
                    "The user tries to access request IDs for canisters not belonging to sender delegation targets.",
                ));
            }
            Ok(())
        }
        Path::Canister(canister, CanisterLeaf::Metadata(name)) => {
            let Some(view) = hosted.canister(canister) else {
                return Ok(());
            };
            let is_private = view
                .metadata
                .iter()
                .any(|section| section.name == *name && !section.is_public);
            if is_private && !view.controllers.contains(&sender.principal) {
                let shown: String = name.chars().take(100).collect();
                return Err(Reply::text(
                    403,
                    format!(
                        "Custom section {shown} can only be requested by the controllers of the canister."
                    ),
                ));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Puts what a path leads to into the tree; nothing when it leads nowhere.
fn insert(
    hosted: &Hosted,
    own: &HostedSubnet,
    path: &Path,
    rules: &PathRules,
    tree: &mut StateTree,
) -> Result<(), Reply> {
    match path {
        Path::Time | Path::ApiBoundaryNodes => {}
        Path::Subnets => {
            for subnet in hosted.subnets() {
                insert_subnet(&subnet, own, rules, tree);
            }
        }
        Path::Subnet(id) => {
            if let Some(subnet) = hosted
                .subnets()
                .into_iter()
                .find(|subnet| subnet.id() == *id)
            {
                insert_subnet(&subnet, own, rules, tree);
            }
        }
        Path::CanisterRanges(id) => {
            if let Some(subnet) = hosted
                .subnets()
                .into_iter()
                .find(|subnet| subnet.id() == *id)
            {
                insert_sharded_ranges(tree, *id, &subnet.ranges);
            }
        }
        Path::Canister(canister, leaf) => insert_canister(hosted, canister, leaf, tree),
        Path::RequestStatus(id) => {
            if let Some(status) = hosted.ingress_status(id) {
                insert_request_status(tree, id, &status);
            }
        }
        Path::SubnetMetrics => {
            return Err(Reply::text(
                501,
                crate::http::reply::not_supported_text("the path /subnet/<id>/metrics"),
            ));
        }
    }
    Ok(())
}

fn insert_subnet(
    subnet: &HostedSubnet,
    own: &HostedSubnet,
    rules: &PathRules,
    tree: &mut StateTree,
) {
    let id = subnet.id();
    let at = |leaf: &'static [u8]| -> [Vec<u8>; 3] {
        [b"subnet".to_vec(), id.as_slice().to_vec(), leaf.to_vec()]
    };
    let mut put = |leaf: &'static [u8], value: Vec<u8>| {
        let path = at(leaf);
        tree.insert(&[&path[0], &path[1], &path[2]], value);
    };
    put(b"public_key", subnet.keys.public_key_der().to_vec());
    put(b"type", subnet.type_name.as_bytes().to_vec());
    if rules.shows_flat_ranges(id) {
        insert_flat_ranges(tree, id, &subnet.ranges);
    }
    // A subnet knows the keys of its own nodes only.
    if id == own.id() {
        for node in subnet.keys.nodes() {
            let node_id = node.id();
            let path: [&[u8]; 5] = [
                b"subnet",
                id.as_slice(),
                b"node",
                node_id.as_slice(),
                b"public_key",
            ];
            tree.insert(&path, node.public_key_der().to_vec());
        }
    }
}

fn insert_canister(
    hosted: &Hosted,
    canister: &Principal,
    leaf: &CanisterLeaf,
    tree: &mut StateTree,
) {
    let Some(view) = hosted.canister(canister) else {
        return;
    };
    let id = canister.as_slice();
    match leaf {
        CanisterLeaf::ModuleHash => {
            if let Some(hash) = view.module_hash {
                tree.insert(&[b"canister", id, b"module_hash"], hash.to_vec());
            }
        }
        CanisterLeaf::Controllers => {
            let controllers = crate::cert::encode_self_described(&view.controllers);
            tree.insert(&[b"canister", id, b"controllers"], controllers);
        }
        CanisterLeaf::CreationTimestamp => {
            tree.insert_number(
                &[b"canister", id, b"canister_creation_timestamp"],
                view.created_at_ns,
            );
        }
        CanisterLeaf::LastInstallTimestamp => {
            if let Some(time_ns) = view.last_install_ns {
                tree.insert_number(&[b"canister", id, b"last_install_timestamp"], time_ns);
            }
        }
        CanisterLeaf::Metadata(name) => {
            if let Some(section) = view
                .metadata
                .into_iter()
                .find(|section| section.name == *name)
            {
                let path: [&[u8]; 4] = [b"canister", id, b"metadata", name.as_bytes()];
                tree.insert(&path, section.content);
            }
        }
    }
}

fn insert_request_status(tree: &mut StateTree, id: &[u8; 32], status: &IngressStatus) {
    let mut put = |leaf: &[u8], value: Vec<u8>| tree.insert(&[b"request_status", id, leaf], value);
    match &status.state {
        IngressState::Received => put(b"status", b"received".to_vec()),
        IngressState::Processing => put(b"status", b"processing".to_vec()),
        IngressState::Replied(reply) => {
            put(b"status", b"replied".to_vec());
            put(b"reply", reply.clone());
        }
        IngressState::Rejected(reject) => {
            put(b"status", b"rejected".to_vec());
            put(
                b"reject_message",
                reject.reject_message.clone().into_bytes(),
            );
            put(
                b"error_code",
                error_code_name(&reject.error_code).into_bytes(),
            );
            tree.insert_number(
                &[b"request_status", id, b"reject_code"],
                reject.reject_code as u64,
            );
        }
    }
}

/// The certificate by which a call is answered at once: time and the request's status.
pub fn certify_request_status(
    hosted: &Hosted,
    subnet: &Principal,
    id: &[u8; 32],
    form: DelegationForm,
) -> Result<Vec<u8>, Reply> {
    let subnet = hosted
        .route(&EffectivePrincipal::Subnet(*subnet))
        .ok_or_else(|| Reply::text(500, "the subnet of the call has been deleted"))?;
    let time_ns = hosted.certified_time_ns();
    let mut tree = StateTree::at_time(time_ns);
    if let Some(status) = hosted.ingress_status(id) {
        insert_request_status(&mut tree, id, &status);
    }
    Ok(hosted
        .certifier()
        .certify(&subnet.root_of_trust(), &tree, form, time_ns))
}

//! A network to use right away, made when the server starts: for people with `ic-rescue`, `icp` or an agent.
//!
//! It follows the real time, has an application subnet, a cycles ledger and a cycles minting canister, and a gateway
//! of its own. One line of JSON on stdout says where it is; whoever starts the server waits for that line.

use super::Server;
use crate::core::native::CYCLES_LEDGER;
use crate::http::rest::create_network;
use pocket_ic::common::rest::{
    AutoProgressConfig, CreateInstanceResponse, ExtendedSubnetConfigSet, IcpFeatures,
    IcpFeaturesConfig, InitialTime, InstanceConfig, InstanceHttpGatewayConfig, SubnetKind,
    SubnetSpec, Topology,
};
use serde::Serialize;
use std::net::IpAddr;
use std::sync::Arc;

/// Where the network is, as the line on stdout says.
#[derive(Clone, Debug, Serialize)]
pub struct ReadyNetwork {
    /// Base URL for agents and tools: the gateway.
    pub url: String,
    /// The same network at the port of the server, for PocketIC clients and fault plans.
    pub instance_url: String,
    /// Root key, hexadecimal DER.
    pub root_key: String,
    /// The subnet on which canisters are created.
    pub application_subnet: String,
    /// A canister id of that subnet, for creating canisters without cycles.
    pub effective_canister_id: String,
    /// The cycles ledger; the anonymous identity owns what is in it.
    pub cycles_ledger: String,
}

/// Makes the network, with its gateway at `gateway_port` (0 for any free one).
///
/// # Errors
/// The reason in words: the port is taken, most likely.
pub fn open(
    server: &Arc<Server>,
    ip: IpAddr,
    server_port: u16,
    gateway_port: u16,
) -> Result<ReadyNetwork, String> {
    let response = create_network(server, &config(ip, gateway_port))?;
    let (instance_id, topology, gateway) = match response {
        CreateInstanceResponse::Created {
            instance_id,
            topology,
            http_gateway_info: Some(gateway),
        } => (instance_id, topology, gateway),
        CreateInstanceResponse::Created { .. } => {
            return Err("BUG: the network was made without its gateway".to_owned());
        }
        CreateInstanceResponse::Error { message } => return Err(message),
    };
    let hosted = server
        .instance(&instance_id.to_string())
        .map_err(|reply| String::from_utf8_lossy(&reply.body).into_owned())?;
    let host = match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Ok(ReadyNetwork {
        url: format!("http://{host}:{}/", gateway.port),
        instance_url: format!("http://{host}:{server_port}/instances/{instance_id}/"),
        root_key: hex::encode(hosted.certifier().root_key_der()),
        application_subnet: application_subnet(&topology).unwrap_or_default(),
        effective_canister_id: candid::Principal::from(topology.default_effective_canister_id)
            .to_text(),
        cycles_ledger: CYCLES_LEDGER.to_text(),
    })
}

fn config(ip: IpAddr, gateway_port: u16) -> InstanceConfig {
    InstanceConfig {
        subnet_config_set: ExtendedSubnetConfigSet {
            application: vec![SubnetSpec::default()],
            ..ExtendedSubnetConfigSet::default()
        },
        icp_features: Some(IcpFeatures {
            cycles_minting: Some(IcpFeaturesConfig::DefaultConfig),
            cycles_token: Some(IcpFeaturesConfig::DefaultConfig),
            ..IcpFeatures::default()
        }),
        initial_time: Some(InitialTime::AutoProgress(AutoProgressConfig {
            artificial_delay_ms: None,
        })),
        http_gateway_config: Some(InstanceHttpGatewayConfig {
            ip_addr: Some(ip.to_string()),
            port: Some(gateway_port),
            domains: None,
            https_config: None,
            domain_custom_provider_local_file: None,
        }),
        ..InstanceConfig::default()
    }
}

fn application_subnet(topology: &Topology) -> Option<String> {
    topology
        .subnet_configs
        .iter()
        .find(|(_, subnet)| subnet.subnet_kind == SubnetKind::Application)
        .map(|(id, _)| id.to_text())
}

//! HTTP gateways: opened, listed, closed. What they serve is the business of `http/gateway`.

use super::Reply;
use crate::http::gateway::{DEFAULT_DOMAIN, LOOPBACK_DOMAIN};
use crate::http::reply::not_supported_text;
use crate::server::Server;
use pocket_ic::common::rest::{
    CreateHttpGatewayResponse, HttpGatewayBackend, HttpGatewayConfig, HttpGatewayDetails,
    HttpGatewayInfo, InstanceHttpGatewayConfig,
};
use std::net::IpAddr;
use std::sync::Arc;

/// All open gateways.
pub fn list(server: &Server) -> Reply {
    let details: Vec<HttpGatewayDetails> = server
        .gateways
        .list()
        .into_iter()
        .map(
            |(instance_id, instance, port, domains)| HttpGatewayDetails {
                instance_id,
                port,
                forward_to: HttpGatewayBackend::PocketIcInstance(instance),
                domains: Some(domains.to_vec()),
                https_config: None,
            },
        )
        .collect();
    Reply::json(&details)
}

/// Opens a gateway.
pub fn create(server: &Arc<Server>, config: &HttpGatewayConfig) -> Result<Reply, Reply> {
    let opened = match &config.forward_to {
        HttpGatewayBackend::Replica(_) => Err(not_supported_text("A gateway to another replica")),
        HttpGatewayBackend::PocketIcInstance(instance) => {
            let config = InstanceHttpGatewayConfig {
                ip_addr: config.ip_addr.clone(),
                port: config.port,
                domains: config.domains.clone(),
                https_config: config.https_config.clone(),
                domain_custom_provider_local_file: config.domain_custom_provider_local_file.clone(),
            };
            open_for_instance(server, *instance, &config)
        }
    };
    match opened {
        Ok(info) => Ok(Reply::json_with_status(
            201,
            &CreateHttpGatewayResponse::Created(info),
        )),
        Err(message) => Err(Reply::json_with_status(
            502,
            &CreateHttpGatewayResponse::Error { message },
        )),
    }
}

/// Opens a gateway to an instance.
///
/// # Errors
/// The reason in words.
pub fn open_for_instance(
    server: &Arc<Server>,
    instance: usize,
    config: &InstanceHttpGatewayConfig,
) -> Result<HttpGatewayInfo, String> {
    if config.https_config.is_some() {
        return Err(not_supported_text("HTTPS"));
    }
    if config.domain_custom_provider_local_file.is_some() {
        return Err(not_supported_text("Custom domains of canisters"));
    }
    let ip = match &config.ip_addr {
        None => None,
        Some(ip) => Some(
            ip.parse::<IpAddr>()
                .map_err(|error| format!("`{ip}` is no IP address: {error}"))?,
        ),
    };
    let (instance_id, port) = server
        .gateways
        .open(
            server,
            instance,
            ip,
            config.port,
            &domains(config.domains.as_deref()),
        )
        .map_err(|error| error.to_string())?;
    Ok(HttpGatewayInfo { instance_id, port })
}

/// The domains asked for, and the loopback address, where the address has to name the canister.
fn domains(asked: Option<&[String]>) -> Arc<[String]> {
    let mut domains: Vec<String> = match asked {
        Some(asked) => asked
            .iter()
            .map(|domain| domain.to_ascii_lowercase())
            .collect(),
        None => vec![DEFAULT_DOMAIN.to_owned()],
    };
    if !domains.iter().any(|domain| domain == LOOPBACK_DOMAIN) {
        domains.push(LOOPBACK_DOMAIN.to_owned());
    }
    domains.into()
}

/// Closes a gateway.
pub fn stop(server: &Server, id: &str) -> Result<Reply, Reply> {
    let id: usize = id
        .parse()
        .map_err(|_| Reply::error(400, format!("`{id}` is no gateway id; use a number")))?;
    server.gateways.stop(id);
    Ok(Reply::json(&()))
}

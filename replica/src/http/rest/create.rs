//! New instances.

use super::{Reply, convert, gateways};
use crate::core::instance::InstanceConfig as CoreConfig;
use crate::core::rules::Rules;
use crate::http::reply::not_supported_text;
use crate::server::{Hosted, HostedConfig, Server, now_ns};
use pocket_ic::common::rest::{
    CreateInstanceResponse, IcpConfig, IcpConfigFlag, IcpFeatures, InitialTime, InstanceConfig,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where compiled modules are kept between processes; nowhere when the variable is not set.
const CACHE_DIR_VARIABLE: &str = "IC_RESCUE_MODULE_CACHE";

/// 2021-05-10T08:00:01Z, where time starts when there is a cycles minting canister, as on a PocketIC server.
const START_WITH_CYCLES_MINTING_NS: u64 = 1_620_633_601_000_000_000;

/// Makes an instance of what a client's builder asks for, or says what of it cannot be had.
pub fn create_instance(server: &Arc<Server>, config: &InstanceConfig) -> Result<Reply, Reply> {
    create_network(server, config)
        .map(|created| Reply::json_with_status(201, &created))
        .map_err(|message| Reply::json_with_status(400, &CreateInstanceResponse::Error { message }))
}

/// Makes an instance, and its gateway if one is asked for.
///
/// # Errors
/// The reason in words.
pub fn create_network(
    server: &Arc<Server>,
    config: &InstanceConfig,
) -> Result<CreateInstanceResponse, String> {
    refuse_unsupported(config)?;
    let features = config.icp_features.clone().unwrap_or_default();
    let subnets = config
        .subnet_config_set
        .clone()
        .try_with_icp_features(&features)?;
    let auto_progress = match &config.initial_time {
        Some(InitialTime::AutoProgress(auto_progress)) => Some(auto_progress),
        _ => None,
    };
    let initial_time_ns = match &config.initial_time {
        None => features
            .cycles_minting
            .is_some()
            .then_some(START_WITH_CYCLES_MINTING_NS),
        Some(InitialTime::Timestamp(time)) => Some(time.nanos_since_epoch),
        Some(InitialTime::AutoProgress(_)) => Some(now_ns()),
    };
    let hosted = Hosted::new(&HostedConfig {
        instance: CoreConfig {
            subnets,
            initial_time_ns,
            seed: 0,
            cache_dir: std::env::var_os(CACHE_DIR_VARIABLE).map(PathBuf::from),
            rules: Rules::default(),
        },
        disable_ingress_validation: config.disable_ingress_validation == Some(true),
    })?;
    hosted.write(|network| {
        let natives = network.natives_mut();
        if features.cycles_token.is_some() {
            natives.open_cycles_ledger();
        }
        if features.cycles_minting.is_some() {
            natives.open_cycles_minting();
        }
    });
    let instance_id = server.add_instance(hosted.clone())?;
    if let Some(auto_progress) = auto_progress {
        let delay = auto_progress.artificial_delay_ms.map(Duration::from_millis);
        hosted.start_progress(delay)?;
    }
    let http_gateway_info = match &config.http_gateway_config {
        None => None,
        Some(gateway) => Some(gateways::open_for_instance(server, instance_id, gateway)?),
    };
    Ok(CreateInstanceResponse::Created {
        instance_id,
        topology: hosted.read(|network| convert::topology(network.topology())),
        http_gateway_info,
    })
}

fn refuse_unsupported(config: &InstanceConfig) -> Result<(), String> {
    let refuse = |is_asked_for: bool, what: &str| match is_asked_for {
        true => Err(not_supported_text(what)),
        false => Ok(()),
    };
    if let Some(features) = &config.icp_features {
        let rest = IcpFeatures {
            cycles_minting: None,
            cycles_token: None,
            ..features.clone()
        };
        refuse(
            rest != IcpFeatures::default(),
            "Deploying system canisters other than those of `cycles_minting` and `cycles_token` (`icp_features`)",
        )?;
    }
    refuse(
        config.state_dir.is_some(),
        "Keeping state in a directory (`state_dir`)",
    )?;
    refuse(
        config.bitcoind_addr.is_some() || config.dogecoind_addr.is_some(),
        "Bitcoin and Dogecoin integration",
    )?;
    refuse(
        config.mainnet_nns_subnet_id == Some(true),
        "The id of the mainnet's NNS subnet (`mainnet_nns_subnet_id`)",
    )?;
    if let Some(IcpConfig {
        beta_features,
        function_name_length_limits,
        canister_execution_rate_limiting,
    }) = &config.icp_config
    {
        refuse(
            *beta_features == Some(IcpConfigFlag::Enabled),
            "Beta features",
        )?;
        refuse(
            *function_name_length_limits == Some(IcpConfigFlag::Disabled),
            "Lifting the limits on function names",
        )?;
        refuse(
            *canister_execution_rate_limiting == Some(IcpConfigFlag::Disabled),
            "Lifting the rate limits on canister execution",
        )?;
    }
    Ok(())
}

//! The only file that speaks to the network: signs, sends, verifies, and sorts what goes wrong.
//!
//! Replies are verified as the library does by default: node signatures of queries, certificates of
//! updates. The one exception is [`Connection::fetch`], for chunks whose digests are certified. Nothing here
//! repeats a call; see `transfer::retry`. A request is repeated where the server says it is overloaded.

mod buffers;
mod bulk;
mod overload;

use crate::calls::CertifiedCall;
use crate::error::{CallError, CallErrorKind, CliError};
use crate::limits::{QUERY_TIMEOUT, RESPONSE_MAX_BYTES, UPDATE_TIMEOUT};
use crate::network::{Network, RootKey};
use crate::transfer::retry::Retry;
use buffers::Buffers;
use bytes::Bytes;
use candid::Principal;
use ic_agent::agent::RejectCode;
use ic_agent::hash_tree::LookupResult;
use ic_agent::{Agent, AgentError, Certificate, Identity};
use overload::Overload;
use serde_bytes::ByteBuf;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Error code of a canister that has not enough cycles for what is asked of it.
const OUT_OF_CYCLES: &str = "IC0207";

/// A way to call canisters of one network in one identity's name.
#[derive(Clone, Debug)]
pub struct Connection {
    agent: Agent,
    client: reqwest::Client,
    buffers: Arc<Buffers>,
    network: Network,
}

impl Connection {
    /// Sets the agent up, and asks for the root key if the network is on this machine. What is repeated because the
    /// server is overloaded is noted in `retry`.
    ///
    /// # Errors
    /// [`CliError::Connect`].
    pub async fn open(
        network: Network,
        identity: Arc<dyn Identity>,
        workers: usize,
        retry: Arc<Retry>,
    ) -> Result<Self, CliError> {
        let connect_error = |error: AgentError| CliError::Connect {
            url: network.url.clone(),
            reason: error.to_string(),
        };
        let client = reqwest::Client::new();
        let service = Overload {
            client: client.clone(),
            retry,
        };
        let agent = Agent::builder()
            .with_url(&network.url)
            .with_arc_http_middleware(Arc::new(service))
            .with_arc_identity(identity)
            .with_max_response_body_size(RESPONSE_MAX_BYTES)
            .with_max_concurrent_requests(workers.max(2))
            .with_max_polling_time(UPDATE_TIMEOUT)
            .build()
            .map_err(connect_error)?;
        match &network.root_key {
            RootKey::Mainnet => {}
            RootKey::Given(key) => agent.set_root_key(key.clone()),
            RootKey::Fetched => agent.fetch_root_key().await.map_err(connect_error)?,
        }
        Ok(Self {
            agent,
            client,
            buffers: Arc::default(),
            network,
        })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The key that certificates are checked against, DER.
    pub fn root_key(&self) -> Vec<u8> {
        self.agent.read_root_key()
    }

    /// Who the calls come from.
    ///
    /// # Errors
    /// [`CliError::Connect`] when the identity cannot tell.
    pub fn caller(&self) -> Result<Principal, CliError> {
        self.agent
            .get_principal()
            .map_err(|reason| CliError::Connect {
                url: self.network.url.clone(),
                reason,
            })
    }

    /// Asks one node. The reply is signed by that node and proves nothing about its content.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn query(
        &self,
        canister: Principal,
        method: &str,
        arg: Vec<u8>,
    ) -> Result<Vec<u8>, CallError> {
        let call = self
            .agent
            .query(&canister, method)
            .with_arg(arg)
            // A cached reply to an earlier question is no answer to this one.
            .with_nonce_generation()
            .call();
        within(QUERY_TIMEOUT, canister, method, call).await
    }

    /// Asks one node for bytes that are proved otherwise: the node's signature under the reply is not
    /// checked, which would mean hashing every byte of it once more. Not for anything that is believed.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn fetch(
        &self,
        canister: Principal,
        method: &str,
        arg: Vec<u8>,
    ) -> Result<Bytes, CallError> {
        let query = self.agent.query(&canister, method).with_arg(arg);
        let signed = query.with_nonce_generation().sign();
        let signed = signed.map_err(|error| sort(canister, method, &error))?;
        let url = format!(
            "{}/api/v3/canister/{canister}/query",
            self.network.url.trim_end_matches('/')
        );
        let fetch = bulk::fetch(&self.client, &self.buffers, url, signed.signed_query);
        let failed = |(kind, message)| CallError {
            canister: canister.to_text(),
            method: method.to_string(),
            message,
            kind,
        };
        match tokio::time::timeout(QUERY_TIMEOUT, fetch).await {
            Ok(result) => result.map_err(failed),
            Err(_) => Err(timed_out(canister, method, QUERY_TIMEOUT)),
        }
    }

    /// Asks the whole subnet. The reply is certified.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn update(
        &self,
        canister: Principal,
        method: &str,
        arg: Vec<u8>,
    ) -> Result<Vec<u8>, CallError> {
        self.update_for(canister, canister, method, arg).await
    }

    /// Asks the whole subnet, and returns with the reply what proves it to anybody later. The last
    /// `data_len_bytes` bytes of a long reply are memory, which need not be kept twice.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn update_for_keeps(
        &self,
        canister: Principal,
        method: &str,
        arg: Vec<u8>,
        data_len_bytes: impl Fn(&[u8]) -> usize,
    ) -> Result<(Vec<u8>, CertifiedCall), CallError> {
        let signed = self.agent.update(&canister, method).with_arg(arg).sign();
        let signed = signed.map_err(|error| sort(canister, method, &error))?;
        let call = async {
            self.agent
                .update_signed(canister, signed.signed_update.clone())
                .await?;
            self.agent.wait(&signed.request_id, canister).await
        };
        let answer = match tokio::time::timeout(UPDATE_TIMEOUT, call).await {
            Ok(answer) => answer.map_err(|error| sort(canister, method, &error)),
            Err(_) => Err(timed_out(canister, method, UPDATE_TIMEOUT)),
        };
        let (reply, certificate) = answer?;
        let call = CertifiedCall {
            canister: ByteBuf::from(canister.as_slice()),
            method: method.to_string(),
            arg: ByteBuf::from(signed.arg),
            sender: ByteBuf::from(signed.sender.as_slice()),
            nonce: signed.nonce.map(ByteBuf::from),
            ingress_expiry: signed.ingress_expiry,
            certificate: ByteBuf::new(),
            reply_header: None,
        };
        let data_len_bytes = data_len_bytes(&reply);
        Ok((
            reply.clone(),
            call.keep(&certificate, &reply, data_len_bytes),
        ))
    }

    /// Asks the management canister about `patient`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn manage(
        &self,
        patient: Principal,
        method: &str,
        arg: Vec<u8>,
    ) -> Result<Vec<u8>, CallError> {
        self.update_for(Principal::management_canister(), patient, method, arg)
            .await
    }

    /// Asks one node's management canister about `patient`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn manage_query(
        &self,
        patient: Principal,
        method: &str,
        arg: Vec<u8>,
    ) -> Result<Vec<u8>, CallError> {
        let canister = Principal::management_canister();
        let call = self
            .agent
            .query(&canister, method)
            .with_effective_canister_id(patient)
            .with_arg(arg)
            .with_nonce_generation()
            .call();
        within(QUERY_TIMEOUT, canister, method, call).await
    }

    async fn update_for(
        &self,
        canister: Principal,
        effective: Principal,
        method: &str,
        arg: Vec<u8>,
    ) -> Result<Vec<u8>, CallError> {
        let call = self
            .agent
            .update(&canister, method)
            .with_effective_canister_id(effective)
            .with_arg(arg)
            .call_and_wait();
        within(UPDATE_TIMEOUT, canister, method, call).await
    }

    /// Hash of the installed module, certified; none if there is no module.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn module_hash(&self, canister: Principal) -> Result<Option<Vec<u8>>, CallError> {
        let what = "module_hash";
        let call = self.agent.read_state_canister_module_hash(canister);
        match tokio::time::timeout(QUERY_TIMEOUT, call).await {
            Ok(Ok(hash)) => Ok(Some(hash)),
            Ok(Err(AgentError::LookupPathAbsent(_))) => Ok(None),
            Ok(Err(error)) => Err(sort(canister, what, &error)),
            Err(_) => Err(timed_out(canister, what, QUERY_TIMEOUT)),
        }
    }
}

impl Connection {
    /// A custom section of the installed module, certified; none if it has none of that name.
    ///
    /// # Errors
    /// [`CallError`], also when the section is private and the caller not a controller.
    pub async fn metadata(
        &self,
        canister: Principal,
        name: &str,
    ) -> Result<Option<Vec<u8>>, CallError> {
        let call = self.agent.read_state_canister_metadata(canister, name);
        match tokio::time::timeout(QUERY_TIMEOUT, call).await {
            Ok(Ok(section)) => Ok(Some(section)),
            Ok(Err(AgentError::LookupPathAbsent(_))) => Ok(None),
            Ok(Err(error)) => Err(sort(canister, name, &error)),
            Err(_) => Err(timed_out(canister, name, QUERY_TIMEOUT)),
        }
    }
}

async fn within(
    limit: Duration,
    canister: Principal,
    method: &str,
    call: impl Future<Output = Result<Vec<u8>, AgentError>>,
) -> Result<Vec<u8>, CallError> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result.map_err(|error| sort(canister, method, &error)),
        Err(_) => Err(timed_out(canister, method, limit)),
    }
}

fn timed_out(canister: Principal, method: &str, limit: Duration) -> CallError {
    CallError {
        canister: canister.to_text(),
        method: method.to_string(),
        message: format!("no answer within {} s", limit.as_secs()),
        kind: CallErrorKind::Temporary,
    }
}

/// Tells what passes from what does not. What was said by the subnet or the canister is final, but for the
/// reject code that says "try again"; what happened on the way is not, a wrong signature included.
fn sort(canister: Principal, method: &str, error: &AgentError) -> CallError {
    let (kind, message) = match error {
        AgentError::CertifiedReject { reject, .. }
        | AgentError::UncertifiedReject { reject, .. } => {
            let code = reject.error_code.as_deref().unwrap_or("no error code");
            let kind = match reject.reject_code {
                // A lack of cycles has a transient code, but does not pass by waiting.
                RejectCode::SysTransient if code != OUT_OF_CYCLES => CallErrorKind::Temporary,
                _ => CallErrorKind::Rejected,
            };
            (
                kind,
                format!("{} ({code})", reject.reject_message.trim_end()),
            )
        }
        AgentError::HttpError(payload) => {
            let passes = payload.status >= 500 || matches!(payload.status, 408 | 425 | 429);
            let kind = if passes {
                CallErrorKind::Temporary
            } else {
                CallErrorKind::Rejected
            };
            (kind, error.to_string())
        }
        AgentError::InvalidReplicaUrl(_)
        | AgentError::SigningError(_)
        | AgentError::UrlParseError(_)
        | AgentError::InvalidMethodError(_)
        | AgentError::PrincipalError(_)
        | AgentError::CannotCalculateRequestId(_)
        | AgentError::DerKeyLengthMismatch { .. }
        | AgentError::DerPrefixMismatch { .. } => (CallErrorKind::Rejected, error.to_string()),
        _ => (CallErrorKind::Temporary, error.to_string()),
    };
    CallError {
        canister: canister.to_text(),
        method: method.to_string(),
        message,
        kind,
    }
}

/// Checks a certificate offline and returns the certified data of `canister` in it, and when it was signed.
/// Its age does not matter: it proves what was, not what is.
///
/// # Errors
/// What is wrong with it, in words.
pub async fn certified_data(
    certificate: &[u8],
    canister: Principal,
    root_key: Vec<u8>,
) -> Result<(Vec<u8>, u64), String> {
    let certificate = verified(certificate, canister, root_key).await?;
    let path: [&[u8]; 3] = [b"canister", canister.as_slice(), b"certified_data"];
    match certificate.tree.lookup_path(path) {
        LookupResult::Found(data) => Ok((data.to_vec(), signed_at_ns(&certificate)?)),
        _ => Err("the certificate says nothing about the rescue canister".to_string()),
    }
}

/// Checks a certificate of the subnet of `canister` offline, whatever its age.
///
/// # Errors
/// What is wrong with it, in words.
pub async fn verified(
    certificate: &[u8],
    canister: Principal,
    root_key: Vec<u8>,
) -> Result<Certificate, String> {
    const ANY_AGE: Duration = Duration::from_secs(100 * 365 * 86_400);
    let certificate: Certificate = serde_cbor::from_slice(certificate)
        .map_err(|error| format!("the certificate is not understood: {error}"))?;
    // The agent knows how to verify; it never calls anywhere for this.
    let agent = Agent::builder()
        .with_url("http://127.0.0.1/")
        .with_ingress_expiry(ANY_AGE)
        .build()
        .map_err(|error| error.to_string())?;
    agent.set_root_key(root_key);
    agent
        .verify(&certificate, canister)
        .map_err(|error| format!("the certificate does not verify: {error}"))?;
    Ok(certificate)
}

/// When a certificate was signed, in nanoseconds since 1970.
///
/// # Errors
/// When it does not say.
pub fn signed_at_ns(certificate: &Certificate) -> Result<u64, String> {
    let path: [&[u8]; 1] = [b"time"];
    let LookupResult::Found(time) = certificate.tree.lookup_path(path) else {
        return Err("the certificate does not say when it was signed".to_string());
    };
    let rising = time.iter().rev();
    Ok(rising.fold(0u64, |value, byte| value << 7 | u64::from(byte & 0x7f)))
}

/// The root key of the Internet Computer, DER.
///
/// # Errors
/// When the agent cannot be set up.
pub fn mainnet_root_key() -> Result<Vec<u8>, String> {
    let agent = Agent::builder().with_url("http://127.0.0.1/").build();
    Ok(agent.map_err(|error| error.to_string())?.read_root_key())
}

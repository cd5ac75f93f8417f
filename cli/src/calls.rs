//! Replicated calls of the program's own whose certified replies are kept with a backup: they prove offline that the
//! canister itself said what its checksums are, where no rescue canister recorded them.
//!
//! ```text
//! certified/calls.cbor: an array of maps
//! ┌──────────────────────────────────────────────────────────────────────────────────────────────────┐
//! │ canister, method, arg, sender, nonce, ingress_expiry   the request; its hash is the request id    │
//! │ certificate   root key ─signs─► certificate ─holds─► request_status / request id / reply          │
//! │ reply_header  only where the reply is a chunk of memory: its first bytes. The leaf is pruned from │
//! │               the certificate; header and chunk together hash to what stands in its place         │
//! └──────────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```

use crate::agent::{signed_at_ns, verified};
use archive::{ChunkDigests, Manifest, Memory};
use candid::Principal;
use ic_agent::agent::EnvelopeContent;
use ic_agent::hash_tree::LookupResult;
use ic_agent::{Certificate, to_request_id};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_cbor::Value;
use sha2::{Digest as _, Sha256};
use std::sync::{Mutex, PoisonError};
use wire::candid as bytes;
use wire::methods;

/// Name of the file in the folder of certified replies.
pub const CALLS_FILE: &str = "calls.cbor";

/// Replies longer than this are chunks of memory: they are on disk already, and only their hash is kept.
const REPLY_KEPT_MAX_BYTES: usize = 8192;

/// A call, and the certificate of its reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertifiedCall {
    /// Whom it was for.
    pub canister: ByteBuf,
    /// The method.
    pub method: String,
    /// Candid bytes of the arguments.
    pub arg: ByteBuf,
    /// Who called.
    pub sender: ByteBuf,
    /// What makes the request unique.
    pub nonce: Option<ByteBuf>,
    /// Nanoseconds since 1970 after which the request was void.
    pub ingress_expiry: u64,
    /// The certificate, CBOR.
    pub certificate: ByteBuf,
    /// First bytes of a reply that is not in the certificate itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_header: Option<ByteBuf>,
}

impl CertifiedCall {
    /// Keeps of `certificate` what is needed beside the image: a reply that ends with `data_len_bytes` of memory
    /// is taken out.
    pub fn keep(mut self, certificate: &Certificate, reply: &[u8], data_len_bytes: usize) -> Self {
        let mut value =
            serde_cbor::value::to_value(certificate).expect("BUG: certificates are plain data");
        if reply.len() > REPLY_KEPT_MAX_BYTES {
            let (leaf, pruned) = (leaf(reply), pruned(reply));
            replace(&mut value, &leaf, &pruned);
            let header = reply[..reply.len() - data_len_bytes].to_vec();
            self.reply_header = Some(ByteBuf::from(header));
        }
        self.certificate =
            ByteBuf::from(serde_cbor::to_vec(&value).expect("BUG: values are plain data"));
        self
    }

    /// The certified reply, and when it was signed. `chunk` gives the bytes of a chunk of stable memory by its
    /// offset, where the reply is one.
    async fn reply(
        &self,
        root_key: &[u8],
        chunk: impl Fn(u64) -> Option<Vec<u8>>,
    ) -> Result<(Vec<u8>, u64), String> {
        let canister = principal(&self.canister)?;
        let mut certificate = self.certificate.to_vec();
        if let Some(header) = &self.reply_header {
            let (offset, _) = bytes::decode_nat64_pair(&self.arg)
                .map_err(|_| format!("the argument of {} is not understood", self.method))?;
            let data = chunk(offset)
                .ok_or_else(|| format!("there is no chunk at byte {offset} of the image"))?;
            let reply = [&header[..], &data[..]].concat();
            let mut value: Value = serde_cbor::from_slice(&certificate)
                .map_err(|error| format!("a certificate is not understood: {error}"))?;
            replace(&mut value, &pruned(&reply), &leaf(&reply));
            certificate = serde_cbor::to_vec(&value).map_err(|error| error.to_string())?;
        }
        let request_id = to_request_id(&EnvelopeContent::Call {
            nonce: self.nonce.as_ref().map(|nonce| nonce.to_vec()),
            ingress_expiry: self.ingress_expiry,
            sender: principal(&self.sender)?,
            canister_id: canister,
            method_name: self.method.clone(),
            arg: self.arg.to_vec(),
            sender_info: None,
        })
        .map_err(|error| error.to_string())?;
        let certificate = verified(&certificate, canister, root_key.to_vec()).await?;
        let path: [&[u8]; 3] = [b"request_status", request_id.as_slice(), b"reply"];
        match certificate.tree.lookup_path(path) {
            LookupResult::Found(reply) => Ok((reply.to_vec(), signed_at_ns(&certificate)?)),
            _ => Err(format!(
                "a certificate does not hold the reply to the call of {} that is kept with it",
                self.method
            )),
        }
    }
}

fn principal(bytes: &[u8]) -> Result<Principal, String> {
    Principal::try_from_slice(bytes).map_err(|error| format!("a principal is damaged: {error}"))
}

/// A hash tree's leaf with `data`.
fn leaf(data: &[u8]) -> Value {
    Value::Array(vec![Value::Integer(3), Value::Bytes(data.to_vec())])
}

/// The node that stands for a leaf with `data` where it was taken out.
fn pruned(data: &[u8]) -> Value {
    let mut hash = Sha256::new();
    hash.update(b"\x10ic-hashtree-leaf");
    hash.update(data);
    let hash = hash.finalize().to_vec();
    Value::Array(vec![Value::Integer(4), Value::Bytes(hash)])
}

/// Puts `new` wherever `old` stands in a tree.
fn replace(value: &mut Value, old: &Value, new: &Value) {
    if value == old {
        *value = new.clone();
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, old, new)),
        Value::Map(map) => map.values_mut().for_each(|item| replace(item, old, new)),
        Value::Tag(_, inner) => replace(inner, old, new),
        _ => {}
    }
}

/// The calls that were made, in any order.
#[derive(Debug, Default)]
pub struct Calls(Mutex<Vec<CertifiedCall>>);

impl Calls {
    /// Takes note of one.
    pub fn push(&self, call: CertifiedCall) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(call);
    }

    /// The file that holds them.
    pub fn file(&self) -> (String, Vec<u8>) {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = serde_cbor::to_vec(&*calls).expect("BUG: calls are plain data");
        (CALLS_FILE.into(), file)
    }
}

/// Checks that the calls in `file` certify size and every chunk digest of every memory of the backup; returns when
/// the last of them was signed. `digests` are those of the backup, checked against its roots; `chunk` reads a
/// chunk of stable memory by its offset.
///
/// # Errors
/// What is not certified, in words.
pub async fn check(
    file: &[u8],
    manifest: &Manifest,
    digests: &[ChunkDigests],
    chunk: impl Fn(u64) -> Option<Vec<u8>>,
    root_key: &[u8],
) -> Result<u64, String> {
    let calls: Vec<CertifiedCall> = serde_cbor::from_slice(file)
        .map_err(|error| format!("{CALLS_FILE} is not understood: {error}"))?;
    let canister = Principal::from_text(&manifest.subject.canister)
        .map_err(|_| "the manifest names no canister".to_string())?;
    let mut last_ns = 0;
    let mut proven: Vec<Proven> = digests.iter().map(Proven::of).collect();
    for call in calls {
        if call.canister[..] != *canister.as_slice() {
            return Err(format!("a call of {} is for another canister", call.method));
        }
        let (reply, signed_at_ns) = call.reply(root_key, &chunk).await?;
        last_ns = last_ns.max(signed_at_ns);
        for proven in &mut proven {
            proven.take(&call.method, &call.arg, &reply)?;
        }
    }
    for (proven, digests) in proven.iter().zip(digests) {
        let memory = digests.memory();
        if !proven.size {
            return Err(format!("the size of the {memory} is not certified"));
        }
        if let Some(chunk) = proven.chunks.iter().position(|proven| !proven) {
            return Err(format!("chunk {chunk} of the {memory} is not certified"));
        }
    }
    Ok(last_ns)
}

/// What of one memory was certified so far.
struct Proven<'a> {
    digests: &'a ChunkDigests,
    size: bool,
    chunks: Vec<bool>,
}

impl<'a> Proven<'a> {
    fn of(digests: &'a ChunkDigests) -> Self {
        Self {
            digests,
            size: false,
            chunks: vec![false; digests.count() as usize],
        }
    }

    /// Holds one reply against the digests, if it is about this memory.
    fn take(&mut self, method: &str, arg: &[u8], reply: &[u8]) -> Result<(), String> {
        let unclear = |_| format!("a reply of {method} is not understood");
        let (size, hash, read) = match self.digests.memory() {
            Memory::Stable => (
                methods::STABLE_SIZE,
                methods::STABLE_SHA256,
                methods::STABLE_READ,
            ),
            Memory::Heap => (methods::HEAP_SIZE, methods::HEAP_SHA256, methods::HEAP_READ),
        };
        let memory = self.digests.memory();
        if method == size {
            let found = bytes::decode_nat64(reply).map_err(unclear)?;
            if found != self.digests.size_bytes() {
                return Err(format!(
                    "certified is a {memory} of {found} bytes, not of {}",
                    self.digests.size_bytes()
                ));
            }
            self.size = true;
        } else if method == hash {
            let (offset, chunk_len, _) = bytes::decode_nat64_triple(arg).map_err(unclear)?;
            let found = bytes::decode_blob(reply).map_err(unclear)?;
            if chunk_len != self.digests.chunk_len_bytes() {
                return Err(format!("a call of {method} used another chunk length"));
            }
            for (chunk, digest) in (offset / chunk_len..).zip(found.as_chunks::<32>().0) {
                self.mark(chunk, digest)?;
            }
        } else if method == read {
            let (offset, _) = bytes::decode_nat64_pair(arg).map_err(unclear)?;
            let found = bytes::decode_blob(reply).map_err(unclear)?;
            let digest = archive::digests::sha256(found);
            self.mark(offset / self.digests.chunk_len_bytes(), &digest)?;
        }
        Ok(())
    }

    fn mark(&mut self, chunk: u64, digest: &[u8; 32]) -> Result<(), String> {
        if chunk >= self.digests.count() || self.digests.get(chunk) != digest {
            return Err(format!(
                "certified is another digest of chunk {chunk} of the {}",
                self.digests.memory()
            ));
        }
        self.chunks[chunk as usize] = true;
        Ok(())
    }
}

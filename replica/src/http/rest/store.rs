//! Endpoints that belong to no instance: blobs and signatures.

use super::{Reply, Request};
use crate::auth;
use crate::server::{Blob, Server};
use pocket_ic::common::rest::RawVerifyCanisterSigArg;

/// Keeps a blob; the answer is its id in hex, bare text.
pub fn put_blob(server: &Server, request: &Request) -> Result<Reply, Reply> {
    let is_gzip = match request.content_encoding.as_deref() {
        None => false,
        Some("gzip") => true,
        Some(_) => {
            return Err(Reply::text(
                400,
                "Bad encoding: Only 'gzip' content encoding is supported",
            ));
        }
    };
    let blob = Blob {
        bytes: request.body.clone(),
        is_gzip,
    };
    match server.blobs.put(blob) {
        Ok(id) => Ok(Reply::text(200, hex::encode(id))),
        Err(error) => Err(Reply::text(507, error.to_string())),
    }
}

/// Gives a blob back as it was uploaded.
pub fn get_blob(server: &Server, id: &str) -> Result<Reply, Reply> {
    let id = hex::decode(id).map_err(|_| Reply::empty(400))?;
    let blob = server.blobs.get(&id).ok_or_else(|| Reply::empty(404))?;
    let mut reply = Reply::bytes(blob.bytes.clone());
    if blob.is_gzip {
        reply
            .headers
            .push(("content-encoding".into(), "gzip".to_owned()));
    }
    Ok(reply)
}

/// Checks a canister signature.
pub fn verify_signature(args: &RawVerifyCanisterSigArg) -> Result<Reply, Reply> {
    let result =
        auth::verify_canister_signature(&args.pubkey, &args.msg, &args.sig, &args.root_pubkey)
            .map_err(|error| format!("Canister signature verification failed: {error}"));
    let status = if result.is_ok() { 200 } else { 406 };
    Ok(Reply::json_with_status(status, &result))
}

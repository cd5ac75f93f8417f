//! Module bytes as given, compressed or not, to WebAssembly.

use crate::error::{Help, ModuleError};
use std::borrow::Cow;
use std::io::Read;

/// Longest module, uncompressed (`WASM_MAX_SIZE`).
const MODULE_MAX_BYTES: u64 = 100 << 20;

const GZIP_HEADER_AND_FOOTER_BYTES: usize = 16;

fn decoding(reason: impl std::fmt::Display) -> ModuleError {
    ModuleError::invalid(
        format!("Failed to decode wasm module: {reason}"),
        Help::Toolchain,
    )
}

fn check_length(size: u64) -> Result<(), ModuleError> {
    if size > MODULE_MAX_BYTES {
        return Err(ModuleError::invalid(
            format!(
                "Wasm module size of {size} exceeds the maximum allowed size of \
                 {MODULE_MAX_BYTES}."
            ),
            Help::user(
                "Try shrinking the module using tools like `ic-wasm` or splitting the logic \
                 across multiple canisters.",
                "wasm-module-too-large",
            ),
        ));
    }
    Ok(())
}

/// The uncompressed module. The length in a gzip footer is checked before anything is unpacked,
/// and unpacking stops there.
pub(crate) fn decode(bytes: &[u8]) -> Result<Cow<'_, [u8]>, ModuleError> {
    if bytes.starts_with(b"\0asm") {
        check_length(bytes.len() as u64)?;
        return Ok(Cow::Borrowed(bytes));
    }
    if !bytes.starts_with(b"\x1f\x8b\x08") {
        return Err(decoding("unsupported canister module format"));
    }
    if bytes.len() < GZIP_HEADER_AND_FOOTER_BYTES {
        return Err(decoding("invalid Wasm module: gzip stream is too short"));
    }
    let footer = bytes[bytes.len() - 4..]
        .try_into()
        .expect("BUG: four bytes were taken");
    let size = u64::from(u32::from_le_bytes(footer));
    check_length(size)?;
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .take(size + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| decoding(format!("failed to decode compressed Wasm module: {error}")))?;
    if unpacked.len() as u64 != size {
        return Err(decoding(format!(
            "specified uncompressed size {size} does not match extracted size {}",
            unpacked.len()
        )));
    }
    Ok(Cow::Owned(unpacked))
}

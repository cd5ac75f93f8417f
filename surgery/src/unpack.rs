//! A module as it travels, compressed or not, to WebAssembly. Bounded.

use crate::{MODULE_MAX_BYTES, SurgeryError};
use std::borrow::Cow;
use std::io::Read;

const WASM_MAGIC: &[u8] = b"\0asm";
const GZIP_MAGIC: &[u8] = b"\x1f\x8b\x08";

/// Whether the bytes are a gzip stream, as canister modules may be.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(GZIP_MAGIC)
}

/// The WebAssembly in `bytes`: themselves, or what they unpack to.
///
/// # Errors
/// [`SurgeryError::NotAModule`], [`SurgeryError::BrokenGzip`], [`SurgeryError::TooLong`].
pub fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>, SurgeryError> {
    let module = if is_gzip(bytes) {
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(bytes)
            .take(MODULE_MAX_BYTES + 1)
            .read_to_end(&mut unpacked)
            .map_err(|error| SurgeryError::BrokenGzip {
                reason: error.to_string(),
            })?;
        Cow::Owned(unpacked)
    } else {
        Cow::Borrowed(bytes)
    };
    if !module.starts_with(WASM_MAGIC) {
        return Err(SurgeryError::NotAModule);
    }
    if module.len() as u64 > MODULE_MAX_BYTES {
        return Err(SurgeryError::TooLong);
    }
    Ok(module)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn plain_and_gzipped_modules_are_read() {
        let module = b"\0asm\x01\0\0\0";
        assert_eq!(*unpack(module).unwrap(), module[..]);
        assert_eq!(*unpack(&gzip(module)).unwrap(), module[..]);
    }

    #[test]
    fn anything_else_is_named() {
        assert_eq!(unpack(b"").unwrap_err(), SurgeryError::NotAModule);
        assert_eq!(
            unpack(&gzip(b"text")).unwrap_err(),
            SurgeryError::NotAModule
        );
        let mut cut = gzip(b"\0asm\x01\0\0\0");
        cut.truncate(cut.len() - 9);
        assert!(matches!(unpack(&cut), Err(SurgeryError::BrokenGzip { .. })));
    }

    #[test]
    fn a_stream_that_unpacks_without_end_is_cut_off() {
        let mut bomb = b"\0asm\x01\0\0\0".to_vec();
        bomb.resize(MODULE_MAX_BYTES as usize + 1, 0);
        assert_eq!(unpack(&gzip(&bomb)).unwrap_err(), SurgeryError::TooLong);
    }
}

//! The pair for the routes without a rescue canister: embedded by `build.rs`, or given as files.
//!
//! The modules of 32 bits serve every heap up to 4 GiB, of whatever width it was: they see the same bytes. Only a
//! larger one needs those of 64 bits.

use crate::commands::read_file;
use crate::error::CliError;
use archive::digests::sha256;
use std::path::Path;
use wire::limits::HEAP32_MAX_BYTES;

const DOWNLOADER: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/downloader.rs"));
const DOWNLOADER_64: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/downloader64.rs"));
const UPLOADER: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/uploader.rs"));
const UPLOADER_64: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/uploader64.rs"));

/// One of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads memory.
    Downloader,
    /// Reads and writes memory.
    Uploader,
}

/// The module for a heap of `heap_bytes`: from `file` if given, otherwise the one that was embedded.
///
/// # Errors
/// [`CliError::Unsupported`] when there are neither, [`CliError::ReadFile`].
pub fn module(role: Role, file: Option<&Path>, heap_bytes: u64) -> Result<Vec<u8>, CliError> {
    let (name, embedded) = match (role, heap_bytes > HEAP32_MAX_BYTES) {
        (Role::Downloader, false) => ("downloader", DOWNLOADER),
        (Role::Downloader, true) => ("downloader", DOWNLOADER_64),
        (Role::Uploader, false) => ("uploader", UPLOADER),
        (Role::Uploader, true) => ("uploader", UPLOADER_64),
    };
    match (file, embedded) {
        (Some(file), _) => read_file(file),
        (None, Some(embedded)) => Ok(embedded.to_vec()),
        (None, None) => Err(CliError::Unsupported {
            what: format!(
                "this build of ic-rescue has no {name} in it: give one with --{name} FILE, or use a rescue \
                 canister (--rescue)"
            ),
        }),
    }
}

/// Whether `hash` is that of one of the embedded modules.
pub fn is_embedded(hash: &[u8]) -> bool {
    [DOWNLOADER, DOWNLOADER_64, UPLOADER, UPLOADER_64]
        .into_iter()
        .flatten()
        .any(|module| sha256(module)[..] == *hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heap_beyond_32_bits_gets_the_modules_of_64() {
        // Where the modules are embedded, the choice shows in their bytes; a build without them says so.
        for role in [Role::Downloader, Role::Uploader] {
            let small = module(role, None, HEAP32_MAX_BYTES);
            let large = module(role, None, HEAP32_MAX_BYTES + 65_536);
            match (small, large) {
                (Ok(small), Ok(large)) => {
                    assert_ne!(small, large);
                    assert!(is_embedded(&sha256(&small)) && is_embedded(&sha256(&large)));
                }
                (small, large) => {
                    let (small, large) = (small.unwrap_err(), large.unwrap_err());
                    assert!(small.to_string().contains("FILE"), "{small}");
                    assert!(large.to_string().contains("FILE"), "{large}");
                }
            }
        }
    }

    #[test]
    fn a_given_file_is_taken() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"module").unwrap();
        let found = module(Role::Downloader, Some(file.path()), 0).unwrap();
        assert_eq!(found, b"module");
    }
}

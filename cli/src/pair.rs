//! The downloader for the route without a rescue canister: embedded by `build.rs`, or given as a file.

use crate::commands::read_file;
use crate::error::CliError;
use std::path::Path;

const EMBEDDED: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/downloader.rs"));

/// The downloader's bytes: from `file` if given, otherwise those that were embedded.
///
/// # Errors
/// [`CliError::Unsupported`] when there are neither.
pub fn downloader(file: Option<&Path>) -> Result<Vec<u8>, CliError> {
    match (file, EMBEDDED) {
        (Some(file), _) => read_file(file),
        (None, Some(embedded)) => Ok(embedded.to_vec()),
        (None, None) => Err(CliError::Unsupported {
            what:
                "this build of ic-rescue has no downloader in it: give one with --downloader FILE, \
                   or use a rescue canister (--rescue)"
                    .into(),
        }),
    }
}

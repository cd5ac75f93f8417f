//! Why a module cannot be operated on.

use crate::{IC_SECTIONS_MAX, IC_SECTIONS_MAX_BYTES, MODULE_MAX_BYTES};

/// What is wrong with a module, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SurgeryError {
    /// Neither WebAssembly nor gzip.
    #[error("this is neither a WebAssembly module nor a gzipped one: give the .wasm or .wasm.gz")]
    NotAModule,
    /// The gzip stream is broken.
    #[error("the gzip stream is broken ({reason}): get the file again")]
    BrokenGzip {
        /// What the decompressor says.
        reason: String,
    },
    /// Longer than any canister's module may be.
    #[error("the module is longer than {MODULE_MAX_BYTES} bytes: no canister can hold it")]
    TooLong,
    /// The bytes do not follow the format.
    #[error("the module is malformed at byte {offset}: {reason}")]
    Malformed {
        /// Where, in the unpacked module.
        offset: usize,
        /// What is wrong.
        reason: String,
    },
    /// A component, not a core module.
    #[error("this is a WebAssembly component: canisters are core modules")]
    Component,
    /// The marker does not fit among the custom sections.
    #[error(
        "the module has {found} custom sections named `icp:…`, with the marker that is more than the \
         {IC_SECTIONS_MAX} a canister may have: drop one, for example {example:?}"
    )]
    TooManySections {
        /// Those it has without the marker.
        found: usize,
        /// The name of one of them.
        example: String,
    },
    /// The marker does not fit into the bytes of custom sections.
    #[error(
        "the custom sections named `icp:…` have {found_bytes} bytes with the marker, more than the \
         {IC_SECTIONS_MAX_BYTES} a canister may have: drop one, for example {example:?}"
    )]
    SectionsTooLong {
        /// Their bytes, with the marker.
        found_bytes: usize,
        /// The name of the longest.
        example: String,
    },
    /// A section that should be dropped is not there.
    #[error("the module has no custom section {name:?}: it has {present}")]
    NoSuchSection {
        /// The name that was given.
        name: String,
        /// The names there are.
        present: String,
    },
}

impl From<wasmparser::BinaryReaderError> for SurgeryError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        SurgeryError::Malformed {
            offset: error.offset(),
            reason: error.message().to_string(),
        }
    }
}

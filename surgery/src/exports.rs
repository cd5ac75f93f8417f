//! What a module exports.

use crate::SurgeryError;
use wasmparser::{ExternalKind, Parser, Payload};

/// Names of the functions that `module` exports, in order.
///
/// # Errors
/// [`SurgeryError::Malformed`].
pub fn functions(module: &[u8]) -> Result<Vec<String>, SurgeryError> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ExportSection(reader) = payload? {
            for export in reader {
                let export = export?;
                if matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact) {
                    names.push(export.name.to_string());
                }
            }
        }
    }
    Ok(names)
}

//! Globals of a snapshot's metadata as the engine has them, and back.

use crate::error::OfflineError;
use archive::metadata::Global;
use engine::{GlobalValue, Module};

/// The values of a module's globals, from a backup's metadata.
///
/// # Errors
/// [`OfflineError::GlobalsDiffer`] when count or types are another module's.
pub fn from_metadata(
    module: &Module,
    globals: &[Option<Global>],
) -> Result<Vec<GlobalValue>, OfflineError> {
    let types = module.global_types_for_snapshot();
    if types.len() != globals.len() {
        return Err(OfflineError::GlobalsDiffer {
            what: format!("{} instead of {}", globals.len(), types.len()),
        });
    }
    let pairs = globals.iter().zip(types).enumerate();
    pairs
        .map(|(index, (global, ty))| {
            let value = global
                .map(value)
                .ok_or_else(|| OfflineError::GlobalsDiffer {
                    what: format!("number {index} has no value"),
                })?;
            if std::mem::discriminant(&value) != std::mem::discriminant(&ty.zero) {
                return Err(OfflineError::GlobalsDiffer {
                    what: format!("number {index} has another type"),
                });
            }
            Ok(value)
        })
        .collect()
}

/// Values of globals as a snapshot's metadata lists them.
pub fn to_metadata(globals: &[GlobalValue]) -> Vec<Option<Global>> {
    let global = |value: &GlobalValue| match *value {
        GlobalValue::I32(value) => Global::I32(value),
        GlobalValue::I64(value) => Global::I64(value),
        GlobalValue::F32(bits) => Global::F32(f32::from_bits(bits)),
        GlobalValue::F64(bits) => Global::F64(f64::from_bits(bits)),
        GlobalValue::V128(bits) => Global::V128(bits),
    };
    globals.iter().map(|value| Some(global(value))).collect()
}

fn value(global: Global) -> GlobalValue {
    match global {
        Global::I32(value) => GlobalValue::I32(value),
        Global::I64(value) => GlobalValue::I64(value),
        Global::F32(value) => GlobalValue::F32(value.to_bits()),
        Global::F64(value) => GlobalValue::F64(value.to_bits()),
        Global::V128(value) => GlobalValue::V128(value),
    }
}

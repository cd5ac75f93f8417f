//! The globals of a module, in the order in which a snapshot lists them.
//!
//! A kept heap keeps no globals: they start afresh. That loses nothing exactly if each has its initial value
//! when it happens, and a snapshot tells the values there are. Order of the list: the exported globals in
//! the order of the exports, immutable ones included, then the other mutable ones in the order of their
//! indices.

use crate::SurgeryError;
use std::fmt;
use wasmparser::{ConstExpr, ExternalKind, Operator, Parser, Payload, TypeRef};

/// Value of a global; floats by their bits, so that equal means identical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// Bits of a 32-bit float.
    F32(u32),
    /// Bits of a 64-bit float.
    F64(u64),
    /// 128-bit vector.
    V128(u128),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::I32(value) => write!(f, "{value}"),
            Value::I64(value) => write!(f, "{value}"),
            Value::F32(bits) => write!(f, "{}", f32::from_bits(*bits)),
            Value::F64(bits) => write!(f, "{}", f64::from_bits(*bits)),
            Value::V128(value) => write!(f, "{value:#x}"),
        }
    }
}

/// A global as it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initial {
    /// Its index.
    pub index: u32,
    /// The name it is exported by, if it is.
    pub export: Option<String>,
    /// Whether code may change it.
    pub mutable: bool,
    /// Its value; none if the expression is one that is not evaluated here.
    pub value: Option<Value>,
}

/// The globals of `module` that a snapshot would list, as they start.
///
/// # Errors
/// [`SurgeryError::Malformed`].
pub fn initial(module: &[u8]) -> Result<Vec<Initial>, SurgeryError> {
    let mut all: Vec<Initial> = Vec::new();
    let mut exported = Vec::new();
    let mut imported = 0;
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    if matches!(import?.ty, TypeRef::Global(_)) {
                        imported += 1;
                    }
                }
            }
            Payload::GlobalSection(reader) => {
                for global in reader {
                    let global = global?;
                    let value = evaluate(&global.init_expr, &all, imported);
                    all.push(Initial {
                        index: imported + all.len() as u32,
                        export: None,
                        mutable: global.ty.mutable,
                        value,
                    });
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export?;
                    if export.kind == ExternalKind::Global {
                        exported.push((export.name.to_string(), export.index));
                    }
                }
            }
            _ => {}
        }
    }
    let mut listed = Vec::new();
    for (name, index) in exported {
        let position = index.checked_sub(imported).map(|p| p as usize);
        if let Some(global) = position.and_then(|position| all.get_mut(position)) {
            global.export = Some(name);
            listed.push(global.clone());
        }
    }
    let rest = all
        .into_iter()
        .filter(|global| global.mutable && global.export.is_none());
    listed.extend(rest);
    Ok(listed)
}

/// The value of a constant expression over earlier globals.
fn evaluate(expression: &ConstExpr<'_>, earlier: &[Initial], imported: u32) -> Option<Value> {
    let mut stack = Vec::new();
    for operator in expression.get_operators_reader() {
        match operator.ok()? {
            Operator::I32Const { value } => stack.push(Value::I32(value)),
            Operator::I64Const { value } => stack.push(Value::I64(value)),
            Operator::F32Const { value } => stack.push(Value::F32(value.bits())),
            Operator::F64Const { value } => stack.push(Value::F64(value.bits())),
            Operator::V128Const { value } => stack.push(Value::V128(value.i128() as u128)),
            Operator::GlobalGet { global_index } => {
                let position = global_index.checked_sub(imported)? as usize;
                stack.push(earlier.get(position)?.value?);
            }
            Operator::End => {}
            _ => return None,
        }
    }
    match stack[..] {
        [value] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globals_are_listed_as_a_snapshot_lists_them() {
        let module = wat::parse_str(
            r#"(module
                (global $a (mut i32) (i32.const 7))
                (global $b i64 (i64.const -1))
                (global $c (mut f64) (f64.const 0.5))
                (global $d i32 (i32.const 9))
                (global $e (mut i32) (global.get $d))
                (export "last" (global $e)) (export "b" (global $b)))"#,
        )
        .unwrap();
        let listed = initial(&module).unwrap();
        let seen: Vec<_> = listed.iter().map(|g| (g.index, g.value)).collect();
        assert_eq!(
            seen,
            [
                (4, Some(Value::I32(9))),
                (1, Some(Value::I64(-1))),
                (0, Some(Value::I32(7))),
                (2, Some(Value::F64(0.5f64.to_bits()))),
            ]
        );
        assert_eq!(listed[0].export.as_deref(), Some("last"));
    }

    #[test]
    fn what_cannot_be_evaluated_has_no_value() {
        let module =
            wat::parse_str("(module (global (mut i32) (i32.add (i32.const 1) (i32.const 2))))")
                .unwrap();
        assert_eq!(initial(&module).unwrap()[0].value, None);
    }
}

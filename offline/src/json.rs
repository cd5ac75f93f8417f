//! Candid values as JSON, without loss.
//!
//! | candid | JSON |
//! |---|---|
//! | `bool`, `text`, `null`, `reserved` | `true`, `"…"`, `null`, `null` |
//! | `nat8` … `nat32`, `int8` … `int32` | number |
//! | `nat`, `int`, `nat64`, `int64` | decimal text: they may be beyond what JSON readers keep |
//! | `float32`, `float64` | number; `"NaN"`, `"inf"`, `"-inf"` as text |
//! | `principal`, `service` | text |
//! | `func` | `{"principal": …, "method": …}` |
//! | `blob` | text of hexadecimal digits that begins with `0x` |
//! | `vec T` | array |
//! | `opt T` | array of no or one value |
//! | `record` | object; array when the fields are numbered from 0 |
//! | `variant` | object of one field |

use candid::IDLArgs;
use candid::types::Label;
use candid::types::value::{IDLField, IDLValue};
use serde_json::{Map, Value, json};

/// A reply as JSON: an array of its values.
pub fn of_reply(values: &IDLArgs) -> Value {
    Value::Array(values.args.iter().map(of_value).collect())
}

/// One value as JSON.
pub fn of_value(value: &IDLValue) -> Value {
    match value {
        IDLValue::Bool(value) => json!(value),
        IDLValue::Null | IDLValue::Reserved => Value::Null,
        IDLValue::Text(text) => json!(text),
        IDLValue::Number(text) => json!(text),
        IDLValue::Nat(value) => json!(value.0.to_string()),
        IDLValue::Int(value) => json!(value.0.to_string()),
        IDLValue::Nat64(value) => json!(value.to_string()),
        IDLValue::Int64(value) => json!(value.to_string()),
        IDLValue::Nat8(value) => json!(value),
        IDLValue::Nat16(value) => json!(value),
        IDLValue::Nat32(value) => json!(value),
        IDLValue::Int8(value) => json!(value),
        IDLValue::Int16(value) => json!(value),
        IDLValue::Int32(value) => json!(value),
        IDLValue::Float32(value) => of_float(f64::from(*value)),
        IDLValue::Float64(value) => of_float(*value),
        IDLValue::Principal(principal) | IDLValue::Service(principal) => {
            json!(principal.to_text())
        }
        IDLValue::Func(principal, method) => {
            json!({ "principal": principal.to_text(), "method": method })
        }
        IDLValue::Blob(bytes) => json!(format!("0x{}", hex::encode(bytes))),
        IDLValue::Vec(values) => Value::Array(values.iter().map(of_value).collect()),
        IDLValue::None => json!([]),
        IDLValue::Opt(value) => json!([of_value(value)]),
        IDLValue::Record(fields) => of_record(fields),
        IDLValue::Variant(variant) => of_fields(std::slice::from_ref(&*variant.0)),
    }
}

fn of_float(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| json!(value.to_string()), Value::Number)
}

fn of_record(fields: &[IDLField]) -> Value {
    let is_tuple = !fields.is_empty()
        && (0..).zip(fields).all(
            |(index, field)| matches!(field.id, Label::Id(id) | Label::Unnamed(id) if id == index),
        );
    if is_tuple {
        return Value::Array(fields.iter().map(|field| of_value(&field.val)).collect());
    }
    of_fields(fields)
}

fn of_fields(fields: &[IDLField]) -> Value {
    let pairs = fields
        .iter()
        .map(|field| (name(&field.id), of_value(&field.val)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn name(label: &Label) -> String {
    match label {
        Label::Named(name) => name.clone(),
        Label::Id(id) | Label::Unnamed(id) => id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_has_a_form() {
        let text = r#"(record { a = 1 : nat; b = opt (5 : nat8); c = null : opt nat }, vec { -3 : int64 },
            variant { ok = record { "x"; true } }, blob "\00\ff", 1.5 : float64,
            principal "aaaaa-aa", func "aaaaa-aa".m)"#;
        let values = candid_parser::parse_idl_args(text).unwrap();
        let types = values.get_types();
        let typed = values
            .annotate_types(true, &candid::TypeEnv::new(), &types)
            .unwrap();
        assert_eq!(
            of_reply(&typed),
            json!([
                { "a": "1", "b": [5], "c": [] },
                ["-3"],
                { "ok": ["x", true] },
                "0x00ff",
                1.5,
                "aaaaa-aa",
                { "principal": "aaaaa-aa", "method": "m" }
            ])
        );
        assert_eq!(of_value(&IDLValue::Float64(f64::NAN)), json!("NaN"));
    }
}

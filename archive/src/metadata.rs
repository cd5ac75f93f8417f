//! `metadata.json`: snapshot metadata in the spelling that every known reader accepts.
//!
//! Four spellings exist in the field. All are read; the second newest is written, because readers of
//! every generation that knows `globals` accept it:
//!
//! | generation | `source` | globals key | null globals |
//! |---|---|---|---|
//! | 0 | `"taken_from_canister"` | `exported_globals` | no |
//! | 1 | `"taken_from_canister"` | `globals` | no |
//! | 2, written | `{"taken_from_canister": null}` | `globals` | no |
//! | 3 | the same, or null, or absent | `globals` | yes |

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// Metadata of a canister snapshot. Sizes are bytes, times are nanoseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// How the snapshot came to be.
    #[serde(
        default,
        serialize_with = "write_source",
        deserialize_with = "read_source"
    )]
    pub source: Source,
    /// When it was taken.
    pub taken_at_timestamp: u64,
    /// Length of `wasm_module.bin`; 0 when the module is not part of the backup.
    pub wasm_module_size: u64,
    /// Exported globals in export order, then the other mutable globals in index order.
    #[serde(alias = "exported_globals")]
    pub globals: Vec<Option<Global>>,
    /// Length of `wasm_memory.bin`.
    pub wasm_memory_size: u64,
    /// Length of `stable_memory.bin`.
    pub stable_memory_size: u64,
    /// Hashes of the chunks in `wasm_chunk_store/`.
    #[serde(default)]
    pub wasm_chunk_store: Vec<StoredChunk>,
    /// The canister's version when the snapshot was taken.
    pub canister_version: u64,
    /// The canister's certified data.
    #[serde(default)]
    pub certified_data: Vec<u8>,
    /// The canister's global timer; none leaves it as it is when the snapshot is loaded.
    #[serde(default)]
    pub global_timer: Option<GlobalTimer>,
    /// State of the low-memory hook; none leaves it as it is when the snapshot is loaded.
    #[serde(default)]
    pub on_low_wasm_memory_hook_status: Option<HookStatus>,
}

/// How a snapshot came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Taken from a canister. Assumed where nothing is said.
    #[default]
    TakenFromCanister,
    /// Made by uploading metadata and data.
    MetadataUpload,
}

/// Value of a wasm global.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Global {
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// 32-bit float.
    F32(f32),
    /// 64-bit float.
    F64(f64),
    /// 128-bit vector; in JSON an array of 32-bit limbs, lowest first.
    #[serde(serialize_with = "write_limbs", deserialize_with = "read_limbs")]
    V128(u128),
}

/// One entry of the chunk store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredChunk {
    /// SHA-256 of the chunk.
    pub hash: Vec<u8>,
}

/// State of the global timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GlobalTimer {
    /// No deadline is set.
    Inactive,
    /// Deadline in nanoseconds since 1970.
    Active(u64),
}

/// State of the low-memory hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookStatus {
    /// The condition does not hold.
    ConditionNotSatisfied,
    /// The hook will run.
    Ready,
    /// The hook ran.
    Executed,
}

/// Why metadata cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Not JSON, or not of any known generation.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A global is null: its value was not known to the tool that wrote the snapshot.
    #[error("global {index} has no value: a snapshot with it cannot be loaded by anyone")]
    NullGlobal {
        /// Position in the list.
        index: usize,
    },
    /// A float cannot be written in JSON without changing it.
    #[error("global {index} is a float that JSON cannot carry exactly")]
    InexactGlobal {
        /// Position in the list.
        index: usize,
    },
}

impl Metadata {
    /// Metadata that knows nothing: no module, no globals, empty memories.
    pub fn empty() -> Self {
        Self {
            source: Source::TakenFromCanister,
            taken_at_timestamp: 0,
            wasm_module_size: 0,
            globals: Vec::new(),
            wasm_memory_size: 0,
            stable_memory_size: 0,
            wasm_chunk_store: Vec::new(),
            canister_version: 0,
            certified_data: Vec::new(),
            global_timer: None,
            on_low_wasm_memory_hook_status: None,
        }
    }

    /// Reads any of the four generations.
    ///
    /// # Errors
    /// [`MetadataError::Json`] names line and column.
    pub fn parse(json: &[u8]) -> Result<Self, MetadataError> {
        Ok(serde_json::from_slice(json)?)
    }

    /// Writes generation 2 with a line end.
    ///
    /// # Errors
    /// When a global cannot be written: it is null, or a float that JSON would change.
    pub fn to_json(&self) -> Result<Vec<u8>, MetadataError> {
        for (index, global) in self.globals.iter().enumerate() {
            match global {
                None => return Err(MetadataError::NullGlobal { index }),
                Some(global) if !survives_json(global) => {
                    return Err(MetadataError::InexactGlobal { index });
                }
                Some(_) => {}
            }
        }
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }
}

fn survives_json(global: &Global) -> bool {
    let again = serde_json::to_string(global).and_then(|text| serde_json::from_str(&text));
    match (global, again) {
        (Global::F32(before), Ok(Global::F32(after))) => before.to_bits() == after.to_bits(),
        (Global::F64(before), Ok(Global::F64(after))) => before.to_bits() == after.to_bits(),
        (before, Ok(after)) => *before == after,
        (_, Err(_)) => false,
    }
}

fn write_source<S: Serializer>(source: &Source, serializer: S) -> Result<S::Ok, S::Error> {
    let name = match source {
        Source::TakenFromCanister => "taken_from_canister",
        Source::MetadataUpload => "metadata_upload",
    };
    BTreeMap::from([(name, ())]).serialize(serializer)
}

fn read_source<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Source, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Spelling {
        Text(String),
        Map(BTreeMap<String, serde::de::IgnoredAny>),
        Null(()),
    }
    let name = match Spelling::deserialize(deserializer)? {
        Spelling::Text(name) => name,
        Spelling::Map(map) if map.len() == 1 => map.into_keys().next().unwrap_or_default(),
        Spelling::Map(map) => {
            let message = format!("source has {} keys, expected one", map.len());
            return Err(serde::de::Error::custom(message));
        }
        Spelling::Null(()) => return Ok(Source::default()),
    };
    match name.as_str() {
        "taken_from_canister" => Ok(Source::TakenFromCanister),
        "metadata_upload" => Ok(Source::MetadataUpload),
        other => Err(serde::de::Error::custom(format!(
            "unknown source `{other}`"
        ))),
    }
}

fn write_limbs<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    let mut limbs = Vec::new();
    let mut rest = *value;
    while rest > 0 {
        limbs.push(rest as u32);
        rest >>= 32;
    }
    limbs.serialize(serializer)
}

fn read_limbs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    let limbs = Vec::<u32>::deserialize(deserializer)?;
    if limbs.len() > 4 {
        return Err(serde::de::Error::custom(
            "a v128 global has at most four limbs",
        ));
    }
    Ok(limbs
        .iter()
        .rev()
        .fold(0, |value, limb| value << 32 | u128::from(*limb)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = r#""wasm_memory_size": 65536, "stable_memory_size": 131072,
        "wasm_chunk_store": [{"hash": [1, 2, 255]}], "canister_version": 3, "certified_data": [0, 255],
        "global_timer": {"active": 5}, "on_low_wasm_memory_hook_status": "condition_not_satisfied""#;

    fn example() -> Metadata {
        Metadata {
            source: Source::TakenFromCanister,
            taken_at_timestamp: 1_757_000_000_000_000_001,
            wasm_module_size: 5,
            globals: vec![
                Some(Global::I32(1_048_576)),
                Some(Global::I64(-1)),
                Some(Global::F32(0.1)),
                Some(Global::F64(1.5)),
                Some(Global::V128(7 << 32)),
            ],
            wasm_memory_size: 65536,
            stable_memory_size: 131_072,
            wasm_chunk_store: vec![StoredChunk {
                hash: vec![1, 2, 255],
            }],
            canister_version: 3,
            certified_data: vec![0, 255],
            global_timer: Some(GlobalTimer::Active(5)),
            on_low_wasm_memory_hook_status: Some(HookStatus::ConditionNotSatisfied),
        }
    }

    fn spelled(source: &str, globals_key: &str, extra_global: &str) -> String {
        format!(
            r#"{{ {source} "taken_at_timestamp": 1757000000000000001, "wasm_module_size": 5,
            "{globals_key}": [{{"i32": 1048576}}, {{"i64": -1}}, {{"f32": 0.1}}, {{"f64": 1.5}},
            {{"v128": [0, 7]}}{extra_global}], {TAIL} }}"#
        )
    }

    #[test]
    fn all_four_generations_are_read() {
        let text = r#""source": "taken_from_canister","#;
        let map = r#""source": {"taken_from_canister": null},"#;
        for (name, json) in [
            ("generation 0", spelled(text, "exported_globals", "")),
            ("generation 1", spelled(text, "globals", "")),
            ("generation 2", spelled(map, "globals", "")),
            (
                "generation 3, null source",
                spelled(r#""source": null,"#, "globals", ""),
            ),
            ("generation 3, no source", spelled("", "globals", "")),
        ] {
            assert_eq!(
                Metadata::parse(json.as_bytes()).unwrap(),
                example(),
                "{name}"
            );
        }
        let with_null = spelled(map, "globals", ", null");
        let read = Metadata::parse(with_null.as_bytes()).unwrap();
        assert_eq!(read.globals.last(), Some(&None));
    }

    #[test]
    fn generation_two_is_written() {
        let text = String::from_utf8(example().to_json().unwrap()).unwrap();
        insta::assert_snapshot!(text);
        assert_eq!(Metadata::parse(text.as_bytes()).unwrap(), example());
    }

    #[test]
    fn what_cannot_be_carried_is_refused() {
        let with = |global| Metadata {
            globals: vec![global],
            ..example()
        };
        assert!(matches!(
            with(None).to_json(),
            Err(MetadataError::NullGlobal { index: 0 })
        ));
        assert!(matches!(
            with(Some(Global::F64(f64::NAN))).to_json(),
            Err(MetadataError::InexactGlobal { index: 0 })
        ));
    }

    #[test]
    fn an_unknown_source_is_refused() {
        let json = spelled(r#""source": {"stolen": null},"#, "globals", "");
        let error = Metadata::parse(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("unknown source `stolen`"), "{error}");
    }
}

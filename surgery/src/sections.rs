//! The sections of a module as ranges of its bytes.
//!
//! ```text
//! "\0asm" 01 00 00 00 │ id  length (LEB128)  content │ id  length  content │ …
//!                       └────────── whole ─────────┘
//! ```

use crate::SurgeryError;
use std::ops::Range;
use wasmparser::{Encoding, Parser, Payload};

/// Id of custom sections.
pub const CUSTOM: u8 = 0;
/// Id of the export section.
pub const EXPORT: u8 = 7;

/// One section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its id.
    pub id: u8,
    /// Its name, if it is a custom section.
    pub name: Option<String>,
    /// All of its bytes: id, length, content.
    pub whole: Range<usize>,
    /// Its content alone; a custom section's begins with its name.
    pub content: Range<usize>,
    /// Bytes of a custom section behind its name.
    pub data_len_bytes: usize,
}

impl Section {
    /// The name without its `icp:…` scope, if the IC counts this section.
    pub fn ic_name(&self) -> Option<&str> {
        let name = self.name.as_deref()?;
        name.strip_prefix("icp:public ")
            .or_else(|| name.strip_prefix("icp:private "))
    }

    /// What the section is called in sentences.
    pub fn title(&self) -> String {
        const TITLES: [&str; 14] = [
            "custom",
            "types",
            "imports",
            "functions",
            "tables",
            "memory",
            "globals",
            "exports",
            "start",
            "elements",
            "code",
            "data",
            "data count",
            "tags",
        ];
        match (&self.name, TITLES.get(usize::from(self.id))) {
            (Some(name), _) => format!("custom section {name:?}"),
            (None, Some(title)) => (*title).to_string(),
            (None, None) => format!("section {}", self.id),
        }
    }
}

/// The sections of `module`, in order and without gaps: they are all of it behind the first eight bytes.
///
/// # Errors
/// [`SurgeryError::Malformed`] or [`SurgeryError::Component`].
pub fn sections(module: &[u8]) -> Result<Vec<Section>, SurgeryError> {
    let mut found: Vec<Section> = Vec::new();
    let mut next = 0;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        match &payload {
            Payload::Version {
                encoding, range, ..
            } => {
                if *encoding != Encoding::Module {
                    return Err(SurgeryError::Component);
                }
                next = range.end;
            }
            other => {
                let Some((id, content)) = other.as_section() else {
                    continue;
                };
                let (name, data_len_bytes) = match other {
                    Payload::CustomSection(custom) => {
                        (Some(custom.name().to_string()), custom.data().len())
                    }
                    _ => (None, 0),
                };
                let whole = next..content.end;
                next = content.end;
                found.push(Section {
                    id,
                    name,
                    whole,
                    content,
                    data_len_bytes,
                });
            }
        }
    }
    Ok(found)
}

/// Appends a section.
pub fn write(id: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(id);
    let len = u32::try_from(content.len()).expect("BUG: a section is shorter than its module");
    crate::leb::write_u32(len, out);
    out.extend_from_slice(content);
}

/// Appends a custom section.
pub fn write_custom(name: &str, data: &[u8], out: &mut Vec<u8>) {
    let mut content = Vec::with_capacity(name.len() + data.len() + 2);
    let len = u32::try_from(name.len()).expect("BUG: a section's name is short");
    crate::leb::write_u32(len, &mut content);
    content.extend_from_slice(name.as_bytes());
    content.extend_from_slice(data);
    write(CUSTOM, &content, out);
}

//! Puts together the modules that the transcripts name.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde_json::Value;

/// Modules by name.
pub type Modules = BTreeMap<String, Vec<u8>>;

/// Assembles all modules of a transcript.
pub fn assemble_all(folder: &Path, described: &Value) -> Modules {
    described
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, module)| (name.clone(), assemble(folder, module)))
        .collect()
}

fn assemble(folder: &Path, module: &Value) -> Vec<u8> {
    let mut bytes = if let Some(file) = module["wat"].as_str() {
        wat(&std::fs::read_to_string(folder.join(file)).unwrap())
    } else if let Some(text) = module["wat_text"].as_str() {
        wat(text)
    } else if let Some(parts) = module["wat_repeat"].as_array() {
        let piece = parts[1].as_str().unwrap();
        let mut text = parts[0].as_str().unwrap().to_owned();
        for number in 0..parts[2].as_u64().unwrap() {
            text.push_str(&piece.replace('#', &number.to_string()));
        }
        text.push_str(parts[3].as_str().unwrap());
        wat(&text)
    } else {
        hex::decode(module["hex"].as_str().unwrap()).unwrap()
    };
    for section in module["custom_sections"].as_array().into_iter().flatten() {
        let content = match section[1].as_str().unwrap() {
            text if text.starts_with("zeros:") => vec![0; text[6..].parse().unwrap()],
            text => hex::decode(text).unwrap(),
        };
        append_custom(&mut bytes, section[0].as_str().unwrap(), &content);
    }
    if let Some(length) = module["truncate"].as_u64() {
        bytes.truncate(length as usize);
    }
    if module["gzip"] == true {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&bytes).unwrap();
        bytes = encoder.finish().unwrap();
    }
    bytes
}

/// Assembles a text and leaves out the name section.
fn wat(text: &str) -> Vec<u8> {
    let module = wat::parse_str(text).unwrap();
    let mut stripped = module[..8].to_vec();
    let mut at = 8;
    while at < module.len() {
        let start = at;
        let id = module[at];
        at += 1;
        let length = leb(&module, &mut at);
        let body = at;
        at += length;
        let mut name_at = body;
        let is_name = id == 0 && {
            let name_length = leb(&module, &mut name_at);
            &module[name_at..name_at + name_length] == b"name"
        };
        if !is_name {
            stripped.extend_from_slice(&module[start..at]);
        }
    }
    stripped
}

fn leb(bytes: &[u8], at: &mut usize) -> usize {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[*at];
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn push_leb(bytes: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn append_custom(module: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut body = Vec::new();
    push_leb(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    module.push(0);
    push_leb(module, body.len());
    module.extend_from_slice(&body);
}

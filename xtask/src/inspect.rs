//! The verifier of the pair: reads a finished module and checks every promise that can be read off its bytes.
//!
//! It is the proof that the modules installed over a canister cannot do what nobody wants them to
//! do: what is not imported cannot be called, what is not exported cannot be reached, what has no
//! data segment and no start function writes nothing at installation. It changes nothing and knows
//! nothing about how a module was made.

use crate::pair::{Kind, MARKER};
use std::collections::BTreeSet;
use thiserror::Error;
use wasmparser::{DataKind, ExternalKind, Parser, Payload, TypeRef, Validator};
use wire::limits::{DOWNLOADER_MODULE_MAX_BYTES, UPLOADER_MODULE_MAX_BYTES};

/// What the downloader may import from `ic0`: reading, replying, refusing.
const DOWNLOADER_IMPORTS: [&str; 10] = [
    "is_controller",
    "msg_arg_data_copy",
    "msg_arg_data_size",
    "msg_caller_copy",
    "msg_caller_size",
    "msg_reply",
    "msg_reply_data_append",
    "stable64_read",
    "stable64_size",
    "trap",
];

/// What the uploader may import besides.
const UPLOADER_IMPORTS: [&str; 2] = ["stable64_grow", "stable64_write"];

/// Name of the metadata section with the candid interface.
const CANDID: &str = "icp:public candid:service";

/// A promise that a module breaks.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Finding {
    /// Not WebAssembly, or not valid.
    #[error("not a valid module: {0}")]
    Invalid(String),
    /// Larger than its budget.
    #[error("{len_bytes} bytes are more than the budget of {limit_bytes}")]
    TooLarge {
        /// Length of the module.
        len_bytes: u64,
        /// Its budget.
        limit_bytes: u64,
    },
    /// An import that is not on the list.
    #[error("imports {module}.{name}, which is not on the list")]
    ImportNotAllowed {
        /// Module of the import.
        module: String,
        /// Name of the import.
        name: String,
    },
    /// An import under an allowed name that is no function.
    #[error("imports {module}.{name}, which is not a function")]
    ImportNotFunction {
        /// Module of the import.
        module: String,
        /// Name of the import.
        name: String,
    },
    /// A method of the interface that the module lacks.
    #[error("does not export `{0}`, which the interface promises")]
    ExportMissing(String),
    /// An export that is no method of the interface.
    #[error("exports `{0}`, which the interface does not mention")]
    ExportUnknown(String),
    /// An export under the name of a method that is no function.
    #[error("exports `{0}`, which is not a function")]
    ExportNotFunction(String),
    /// An interface that the verifier cannot read.
    #[error("the interface cannot be read at `{0}`")]
    InterfaceUnreadable(String),
    /// A data segment that is written into memory at installation.
    #[error("has the active data segment {0}")]
    ActiveData(u32),
    /// Code that runs at installation.
    #[error("has a start function")]
    Start,
    /// A table: nothing in the pair is called indirectly.
    #[error("has a table")]
    Table,
    /// Elements of a table.
    #[error("has the element segment {0}")]
    Elements(u32),
    /// A global: nothing in the pair outlives a message outside of its memories.
    #[error("has the global {index}{}", if *mutable { ", which is mutable" } else { "" })]
    Global {
        /// Index of the global.
        index: u32,
        /// Whether code may change it.
        mutable: bool,
    },
    /// No memory, or more than one.
    #[error("declares {0} memories instead of one")]
    MemoryCount(u32),
    /// A minimum: a kept heap smaller than that would be refused or grown.
    #[error("declares a memory of at least {0} pages instead of 0")]
    MemoryMinimum(u64),
    /// A maximum: a kept heap larger than that would make every message fail.
    #[error("declares a memory of at most {0} pages")]
    MemoryMaximum(u64),
    /// Addresses of the other width.
    #[error("declares a memory with {actual}-bit addresses instead of {expected}-bit ones")]
    MemoryWidth {
        /// What the module has.
        actual: u32,
        /// What its kind asks for.
        expected: u32,
    },
    /// Without the marker a heap is not kept; with two the module is refused.
    #[error("has the section `{MARKER}` {0} times instead of once")]
    Marker(usize),
    /// No interface in the module.
    #[error("has the section `{CANDID}` {0} times instead of once")]
    CandidCount(usize),
    /// Another interface in the module than in the source.
    #[error("the interface in the module differs from the .did")]
    CandidDiffers,
}

/// What a module that keeps its promises consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Length of the module.
    pub len_bytes: u64,
    /// Names imported from `ic0`, sorted.
    pub imports: Vec<String>,
    /// Names exported, sorted.
    pub exports: Vec<String>,
}

/// Checks a finished module against the interface it was built for.
///
/// # Errors
/// All promises that it breaks.
pub fn inspect(kind: Kind, wasm: &[u8], did: &str) -> Result<Report, Vec<Finding>> {
    let facts = Facts::read(wasm).map_err(|finding| vec![finding])?;
    let mut findings = facts.findings.clone();

    let len_bytes = wasm.len() as u64;
    let limit_bytes = budget_bytes(kind);
    if len_bytes > limit_bytes {
        findings.push(Finding::TooLarge {
            len_bytes,
            limit_bytes,
        });
    }
    for (module, name) in &facts.imports {
        if module != "ic0" || !may_import(kind, name) {
            findings.push(Finding::ImportNotAllowed {
                module: module.clone(),
                name: name.clone(),
            });
        }
    }
    match entry_points(did) {
        Err(finding) => findings.push(finding),
        Ok(promised) => {
            let missing = promised.difference(&facts.exports).cloned();
            findings.extend(missing.map(Finding::ExportMissing));
            let unknown = facts.exports.difference(&promised).cloned();
            findings.extend(unknown.map(Finding::ExportUnknown));
        }
    }
    if facts.memories.len() != 1 {
        findings.push(Finding::MemoryCount(facts.memories.len() as u32));
    }
    for memory in &facts.memories {
        if memory.minimum_pages != 0 {
            findings.push(Finding::MemoryMinimum(memory.minimum_pages));
        }
        if let Some(maximum_pages) = memory.maximum_pages {
            findings.push(Finding::MemoryMaximum(maximum_pages));
        }
        let expected = if kind.is_64() { 64 } else { 32 };
        if memory.width_bits != expected {
            findings.push(Finding::MemoryWidth {
                actual: memory.width_bits,
                expected,
            });
        }
    }
    if facts.marker_count != 1 {
        findings.push(Finding::Marker(facts.marker_count));
    }
    match &facts.candid[..] {
        [candid] if candid == did.as_bytes() => {}
        [_] => findings.push(Finding::CandidDiffers),
        several => findings.push(Finding::CandidCount(several.len())),
    }

    if !findings.is_empty() {
        return Err(findings);
    }
    Ok(Report {
        len_bytes,
        imports: facts.imports.into_iter().map(|(_, name)| name).collect(),
        exports: facts.exports.into_iter().collect(),
    })
}

/// Size that a kind may have; a 64-bit build a quarter more.
fn budget_bytes(kind: Kind) -> u64 {
    match kind {
        Kind::Downloader => DOWNLOADER_MODULE_MAX_BYTES,
        Kind::Uploader => UPLOADER_MODULE_MAX_BYTES,
        Kind::Downloader64 => DOWNLOADER_MODULE_MAX_BYTES * 5 / 4,
        Kind::Uploader64 => UPLOADER_MODULE_MAX_BYTES * 5 / 4,
    }
}

fn may_import(kind: Kind, name: &str) -> bool {
    let writes = matches!(kind, Kind::Uploader | Kind::Uploader64);
    DOWNLOADER_IMPORTS.contains(&name) || writes && UPLOADER_IMPORTS.contains(&name)
}

/// Names under which the methods of an interface are exported. Reads what the pair's interfaces
/// consist of: comments, and one `service` of named methods.
fn entry_points(did: &str) -> Result<BTreeSet<String>, Finding> {
    let code: Vec<&str> = did
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect();
    let code = code.join(" ");
    let unreadable = |text: &str| Finding::InterfaceUnreadable(text.trim().to_string());
    let methods = code
        .split_once("service : {")
        .and_then(|(_, rest)| rest.rsplit_once('}'))
        .map(|(methods, _)| methods)
        .ok_or_else(|| unreadable(&code))?;
    let mut names = BTreeSet::new();
    for method in methods
        .split(';')
        .map(str::trim)
        .filter(|method| !method.is_empty())
    {
        let (name, signature) = method
            .split_once(" : (")
            .ok_or_else(|| unreadable(method))?;
        let (_, results) = signature
            .split_once(" -> (")
            .ok_or_else(|| unreadable(method))?;
        let (_, annotation) = results.rsplit_once(')').ok_or_else(|| unreadable(method))?;
        match annotation.trim() {
            "query" => names.insert(format!("canister_query {name}")),
            "" => names.insert(format!("canister_update {name}")),
            _ => return Err(unreadable(method)),
        };
    }
    Ok(names)
}

/// A declared memory.
struct Memory {
    minimum_pages: u64,
    maximum_pages: Option<u64>,
    width_bits: u32,
}

/// What stands in a module, as far as the promises ask for it.
#[derive(Default)]
struct Facts {
    imports: BTreeSet<(String, String)>,
    exports: BTreeSet<String>,
    memories: Vec<Memory>,
    marker_count: usize,
    candid: Vec<Vec<u8>>,
    findings: Vec<Finding>,
}

impl Facts {
    fn read(wasm: &[u8]) -> Result<Self, Finding> {
        let invalid = |error: wasmparser::BinaryReaderError| Finding::Invalid(error.to_string());
        Validator::new().validate_all(wasm).map_err(invalid)?;
        let mut facts = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            facts.take(payload.map_err(invalid)?).map_err(invalid)?;
        }
        Ok(facts)
    }

    fn take(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let (module, name) = (import.module.to_string(), import.name.to_string());
                    match import.ty {
                        TypeRef::Func(_) => {
                            self.imports.insert((module, name));
                        }
                        other => {
                            self.findings
                                .push(Finding::ImportNotFunction { module, name });
                            if let TypeRef::Memory(memory) = other {
                                self.take_memory(memory);
                            }
                        }
                    }
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    let name = export.name.to_string();
                    if export.kind != ExternalKind::Func {
                        self.findings.push(Finding::ExportNotFunction(name.clone()));
                    }
                    self.exports.insert(name);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.take_memory(memory?);
                }
            }
            Payload::GlobalSection(section) => {
                for (index, global) in section.into_iter().enumerate() {
                    let mutable = global?.ty.mutable;
                    self.findings.push(Finding::Global {
                        index: index as u32,
                        mutable,
                    });
                }
            }
            Payload::TableSection(section) if section.count() > 0 => {
                self.findings.push(Finding::Table);
            }
            Payload::ElementSection(section) => {
                self.findings
                    .extend((0..section.count()).map(Finding::Elements));
            }
            Payload::DataSection(section) => {
                for (index, data) in section.into_iter().enumerate() {
                    if let DataKind::Active { .. } = data?.kind {
                        self.findings.push(Finding::ActiveData(index as u32));
                    }
                }
            }
            Payload::StartSection { .. } => self.findings.push(Finding::Start),
            Payload::CustomSection(section) if section.name() == MARKER => self.marker_count += 1,
            Payload::CustomSection(section) if section.name() == CANDID => {
                self.candid.push(section.data().to_vec());
            }
            _ => {}
        }
        Ok(())
    }

    fn take_memory(&mut self, memory: wasmparser::MemoryType) {
        self.memories.push(Memory {
            minimum_pages: memory.initial,
            maximum_pages: memory.maximum,
            width_bits: if memory.memory64 { 64 } else { 32 },
        });
    }
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;

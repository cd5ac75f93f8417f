//! The pair: which modules it consists of, how they are compiled, and what is done to them after the linker.
//!
//! The linker cannot be told to declare an empty memory and exports names of its own. [`finish`]
//! rewrites only the envelope: memory, globals, exports and custom sections. The code section is
//! copied byte by byte, and anything that would be lost by the rewriting is refused instead.

use anyhow::{Context, Result, bail};
use wasm_encoder::{
    CustomSection, ExportKind, ExportSection, MemorySection, MemoryType, Module, RawSection,
    SectionId,
};
use wasmparser::{ExternalKind, Operator, Parser, Payload};

/// The custom section without which the IC refuses to keep a heap under a module.
pub const MARKER: &str = "icp:private enhanced-orthogonal-persistence";

/// One module of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads memory out.
    Downloader,
    /// Reads, and writes memory back.
    Uploader,
    /// The downloader with a 64-bit heap.
    Downloader64,
    /// The uploader with a 64-bit heap.
    Uploader64,
}

/// The modules for 32-bit heaps, which are what canisters in Rust have.
pub const KINDS: [Kind; 2] = [Kind::Downloader, Kind::Uploader];
/// The modules for 64-bit heaps.
pub const KINDS_64: [Kind; 2] = [Kind::Downloader64, Kind::Uploader64];

impl Kind {
    /// The crate it is built from, which is also the name of its folder and of its `.did`.
    pub const fn package(self) -> &'static str {
        match self {
            Self::Downloader | Self::Downloader64 => "downloader",
            Self::Uploader | Self::Uploader64 => "uploader",
        }
    }

    /// Its name below `target/wasm/`, without `.wasm`.
    pub const fn module_name(self) -> &'static str {
        match self {
            Self::Downloader => "downloader",
            Self::Uploader => "uploader",
            Self::Downloader64 => "downloader64",
            Self::Uploader64 => "uploader64",
        }
    }

    /// Whether its heap is addressed with 64 bits.
    pub const fn is_64(self) -> bool {
        matches!(self, Self::Downloader64 | Self::Uploader64)
    }

    /// The compiler's name of the machine it is built for.
    pub const fn target(self) -> &'static str {
        if self.is_64() {
            "wasm64-unknown-unknown"
        } else {
            "wasm32-unknown-unknown"
        }
    }
}

/// What the compiler is told: vectors and bulk memory instructions, and a linker that reserves no
/// stack in memory (the code uses none; [`finish`] checks it).
pub fn rustflags() -> Vec<String> {
    [
        "-Ctarget-feature=+simd128,+bulk-memory",
        "-Clink-arg=-zstack-size=0",
        "-Clink-arg=--initial-memory=65536",
    ]
    .map(String::from)
    .to_vec()
}

/// Rewrites the envelope of a linked module: memory of no pages without maximum, entry points as
/// the only exports, no globals, no tables, no debugging sections, the marker at the end.
///
/// # Errors
/// If the module has what cannot be dropped without changing what it does: a global that is
/// used, a data segment, elements, a start function, an imported memory or global.
pub fn finish(kind: Kind, linked: &[u8]) -> Result<Vec<u8>> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(linked) {
        match payload.context("reading the linked module")? {
            Payload::TypeSection(section) => {
                copy(&mut module, SectionId::Type, linked, section.range());
            }
            Payload::ImportSection(section) => {
                copy(&mut module, SectionId::Import, linked, section.range());
            }
            Payload::FunctionSection(section) => {
                copy(&mut module, SectionId::Function, linked, section.range());
            }
            Payload::CodeSectionStart { range, .. } => {
                copy(&mut module, SectionId::Code, linked, range);
            }
            Payload::MemorySection(_) => {
                let mut memories = MemorySection::new();
                memories.memory(MemoryType {
                    minimum: 0,
                    maximum: None,
                    memory64: kind.is_64(),
                    shared: false,
                    page_size_log2: None,
                });
                module.section(&memories);
            }
            Payload::ExportSection(section) => {
                let mut exports = ExportSection::new();
                for export in section {
                    let export = export.context("reading an export")?;
                    if export.kind == ExternalKind::Func {
                        exports.export(export.name, ExportKind::Func, export.index);
                    }
                }
                module.section(&exports);
            }
            Payload::CodeSectionEntry(body) => {
                for operator in body.get_operators_reader().context("reading a function")? {
                    let operator = operator.context("reading an instruction")?;
                    if let Operator::GlobalGet { .. } | Operator::GlobalSet { .. } = operator {
                        bail!("the code uses a global: something lives on a stack in memory");
                    }
                }
            }
            Payload::CustomSection(section) if section.name().starts_with("icp:") => {
                module.section(&CustomSection {
                    name: section.name().into(),
                    data: section.data().into(),
                });
            }
            Payload::StartSection { .. } => bail!("the linked module has a start function"),
            Payload::DataSection(section) if section.count() > 0 => {
                bail!("the linked module has {} data segments", section.count());
            }
            Payload::ElementSection(section) if section.count() > 0 => {
                bail!("the linked module has {} element segments", section.count());
            }
            _ => {}
        }
    }
    module.section(&CustomSection {
        name: MARKER.into(),
        data: (&[]).into(),
    });
    Ok(module.finish())
}

fn copy(module: &mut Module, id: SectionId, bytes: &[u8], range: std::ops::Range<usize>) {
    module.section(&RawSection {
        id: id.into(),
        data: &bytes[range],
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish_text(text: &str) -> Result<Vec<u8>> {
        finish(Kind::Downloader, &wat::parse_str(text).unwrap())
    }

    #[test]
    fn the_envelope_is_rewritten_and_the_code_kept() {
        let bytes = finish_text(
            r#"(module (memory (export "memory") 1) (global (mut i32) (i32.const 7))
                (func (export "canister_query f") (drop (i32.const 4711))))"#,
        )
        .unwrap();
        let text = summary(&bytes);
        assert_eq!(
            text,
            "memory 0 none; export canister_query f; custom icp:private enhanced-orthogonal-persistence"
        );
    }

    #[test]
    fn a_global_in_use_is_refused() {
        let error = finish_text(
            "(module (global $g (mut i32) (i32.const 7)) (func (drop (global.get $g))))",
        );
        assert!(error.unwrap_err().to_string().contains("uses a global"));
    }

    #[test]
    fn a_data_segment_is_refused() {
        let error = finish_text(r#"(module (memory 1) (data (i32.const 0) "x"))"#).unwrap_err();
        assert!(error.to_string().contains("data segments"));
    }

    #[test]
    fn a_start_function_is_refused() {
        let error = finish_text("(module (func $f) (start $f))").unwrap_err();
        assert!(error.to_string().contains("start function"));
    }

    /// Memory, exports and custom sections of a module in a line.
    fn summary(bytes: &[u8]) -> String {
        let mut parts = Vec::new();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.unwrap() {
                Payload::MemorySection(section) => {
                    for memory in section {
                        let memory = memory.unwrap();
                        let maximum = memory.maximum.map_or("none".into(), |m| m.to_string());
                        parts.push(format!("memory {} {maximum}", memory.initial));
                    }
                }
                Payload::ExportSection(section) => {
                    parts.extend(
                        section
                            .into_iter()
                            .map(|e| format!("export {}", e.unwrap().name)),
                    );
                }
                Payload::CustomSection(section) => parts.push(format!("custom {}", section.name())),
                Payload::GlobalSection(_) => parts.push("globals".into()),
                _ => {}
            }
        }
        parts.join("; ")
    }
}

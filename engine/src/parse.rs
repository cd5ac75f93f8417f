//! Reads the sections of a module that validation and rewriting look at.

use wasmparser::{
    BinaryReaderError, CompositeInnerType, Data, Export, FuncType, FunctionBody, Global, Import,
    MemoryType, Parser, Payload, TypeRef,
};

/// Sections of a module, borrowed from its bytes. Not validated.
#[derive(Default)]
pub(crate) struct Parsed<'a> {
    /// Function types by type index; `None` for types that are no functions.
    pub(crate) types: Vec<Option<FuncType>>,
    pub(crate) imports: Vec<Import<'a>>,
    /// Type index of each function, imported ones first.
    pub(crate) functions: Vec<u32>,
    pub(crate) imported_functions: u32,
    pub(crate) table_count: u32,
    pub(crate) memories: Vec<MemoryType>,
    pub(crate) globals: Vec<Global<'a>>,
    pub(crate) exports: Vec<Export<'a>>,
    pub(crate) start: Option<u32>,
    pub(crate) data: Vec<Data<'a>>,
    pub(crate) bodies: Vec<FunctionBody<'a>>,
    /// Name and content of custom sections.
    pub(crate) custom: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Parsed<'a> {
    pub(crate) fn new(wasm: &'a [u8]) -> Result<Self, BinaryReaderError> {
        let mut parsed = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(reader) => {
                    for group in reader {
                        for ty in group?.types() {
                            parsed.types.push(match &ty.composite_type.inner {
                                CompositeInnerType::Func(ty) => Some(ty.clone()),
                                _ => None,
                            });
                        }
                    }
                }
                Payload::ImportSection(reader) => {
                    for import in reader.into_imports() {
                        let import = import?;
                        if let TypeRef::Func(ty) = import.ty {
                            parsed.functions.push(ty);
                            parsed.imported_functions += 1;
                        }
                        parsed.imports.push(import);
                    }
                }
                Payload::FunctionSection(reader) => {
                    for ty in reader {
                        parsed.functions.push(ty?);
                    }
                }
                Payload::TableSection(reader) => parsed.table_count = reader.count(),
                Payload::MemorySection(reader) => {
                    parsed.memories = reader.into_iter().collect::<Result<_, _>>()?;
                }
                Payload::GlobalSection(reader) => {
                    parsed.globals = reader.into_iter().collect::<Result<_, _>>()?;
                }
                Payload::ExportSection(reader) => {
                    parsed.exports = reader.into_iter().collect::<Result<_, _>>()?;
                }
                Payload::StartSection { func, .. } => parsed.start = Some(func),
                Payload::DataSection(reader) => {
                    parsed.data = reader.into_iter().collect::<Result<_, _>>()?;
                }
                Payload::CodeSectionEntry(body) => parsed.bodies.push(body),
                Payload::CustomSection(section) => {
                    parsed.custom.push((section.name(), section.data()));
                }
                _ => {}
            }
        }
        Ok(parsed)
    }

    /// The type of a function, imported or defined.
    pub(crate) fn function_type(&self, function: u32) -> Option<&FuncType> {
        let ty = *self.functions.get(function as usize)?;
        self.types.get(ty as usize)?.as_ref()
    }

    /// Whether the memory is 64-bit; a module without memory is 32-bit.
    pub(crate) fn is_wasm64(&self) -> bool {
        self.memories.first().is_some_and(|memory| memory.memory64)
    }
}

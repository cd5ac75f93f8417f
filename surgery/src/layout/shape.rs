//! What a module's bytes tell about the heap it works on, as lists of texts that can be compared and shown.

use crate::SurgeryError;
use wasmparser::{
    CompositeInnerType, ConstExpr, DataKind, ElementItems, ElementKind, Operator, Parser, Payload,
    TypeRef,
};

#[derive(Default)]
pub(super) struct Shape<'a> {
    pub(super) memories: Vec<String>,
    /// Place and bytes of each segment.
    pub(super) data: Vec<(String, &'a [u8])>,
    pub(super) tables: Vec<String>,
    pub(super) elements: Vec<String>,
    /// Signature of the function in each place of the tables, in the order of the segments.
    pub(super) entries: Vec<String>,
    pub(super) globals: Vec<String>,
    pub(super) imports: Vec<String>,
    /// Signatures of the defined functions.
    pub(super) functions: Vec<String>,
    /// The start function, if there is one.
    pub(super) start: Vec<String>,
    pub(super) bodies: Vec<&'a [u8]>,
    types: Vec<String>,
    /// Type of each function, imported ones first.
    function_types: Vec<u32>,
}

impl<'a> Shape<'a> {
    pub(super) fn of(module: &'a [u8]) -> Result<Shape<'a>, SurgeryError> {
        let mut shape = Shape::default();
        for payload in Parser::new(0).parse_all(module) {
            shape.take(payload?)?;
        }
        Ok(shape)
    }

    fn take(&mut self, payload: Payload<'a>) -> Result<(), SurgeryError> {
        match payload {
            Payload::TypeSection(reader) => {
                for group in reader {
                    for ty in group?.types() {
                        self.types.push(match &ty.composite_type.inner {
                            CompositeInnerType::Func(ty) => ty.to_string(),
                            other => format!("{other:?}"),
                        });
                    }
                }
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    let import = import?;
                    let name = format!("{}.{}", import.module, import.name);
                    if let TypeRef::Func(ty) | TypeRef::FuncExact(ty) = import.ty {
                        self.function_types.push(ty);
                        self.imports.push(format!("{name} {}", self.signature(ty)));
                    } else {
                        self.imports.push(format!("{name} {:?}", import.ty));
                    }
                }
            }
            Payload::FunctionSection(reader) => {
                for ty in reader {
                    let ty = ty?;
                    self.function_types.push(ty);
                    self.functions.push(self.signature(ty));
                }
            }
            Payload::TableSection(reader) => {
                for table in reader {
                    let ty = table?.ty;
                    let most = ty
                        .maximum
                        .map_or("any".to_string(), |most| most.to_string());
                    self.tables.push(format!(
                        "{}, {} to {most} entries",
                        ty.element_type, ty.initial
                    ));
                }
            }
            Payload::MemorySection(reader) => {
                for ty in reader {
                    let ty = ty?;
                    let bits = if ty.memory64 { 64 } else { 32 };
                    let most = ty
                        .maximum
                        .map_or("any".to_string(), |most| most.to_string());
                    self.memories
                        .push(format!("{bits} bits, {} to {most} pages", ty.initial));
                }
            }
            Payload::GlobalSection(reader) => {
                for global in reader {
                    let global = global?;
                    let mutable = if global.ty.mutable { "mutable " } else { "" };
                    self.globals.push(format!(
                        "{mutable}{} = {}",
                        global.ty.content_type,
                        expression(&global.init_expr)?
                    ));
                }
            }
            Payload::StartSection { func, .. } => self.start.push(format!("function {func}")),
            Payload::ElementSection(reader) => {
                for element in reader {
                    let element = element?;
                    self.segment(&element.kind, element.items)?;
                }
            }
            Payload::DataSection(reader) => {
                for segment in reader {
                    let segment = segment?;
                    let place = match &segment.kind {
                        DataKind::Passive => "passive".to_string(),
                        DataKind::Active { offset_expr, .. } => {
                            format!("at {}", expression(offset_expr)?)
                        }
                    };
                    self.data.push((place, segment.data));
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body.as_bytes()),
            _ => {}
        }
        Ok(())
    }

    fn segment(
        &mut self,
        kind: &ElementKind<'_>,
        items: ElementItems<'_>,
    ) -> Result<(), SurgeryError> {
        let place = match kind {
            ElementKind::Passive => "passive".to_string(),
            ElementKind::Declared => "declared".to_string(),
            ElementKind::Active {
                table_index,
                offset_expr,
            } => format!(
                "table {} at {}",
                table_index.unwrap_or(0),
                expression(offset_expr)?
            ),
        };
        let mut functions = Vec::new();
        match items {
            ElementItems::Functions(list) => {
                for function in list {
                    functions.push(Some(function?));
                }
            }
            ElementItems::Expressions(_, list) => {
                for item in list {
                    functions.push(referenced(&item?)?);
                }
            }
        }
        let mut text = format!("{place}, {} entries:", functions.len());
        for function in functions {
            match function {
                None => {
                    text.push_str(" none");
                    self.entries.push("none".to_string());
                }
                Some(index) => {
                    text.push_str(&format!(" {index}"));
                    let ty = self.function_types.get(index as usize).copied();
                    self.entries
                        .push(ty.map_or("unknown".to_string(), |ty| self.signature(ty)));
                }
            }
        }
        self.elements.push(shorten(text));
        Ok(())
    }

    fn signature(&self, ty: u32) -> String {
        self.types
            .get(ty as usize)
            .cloned()
            .unwrap_or_else(|| format!("type {ty}"))
    }
}

/// A constant expression as text: operators in a row.
fn expression(expression: &ConstExpr<'_>) -> Result<String, SurgeryError> {
    let mut text = Vec::new();
    for operator in expression.get_operators_reader() {
        match operator? {
            Operator::End => {}
            Operator::I32Const { value } => text.push(value.to_string()),
            Operator::I64Const { value } => text.push(value.to_string()),
            Operator::GlobalGet { global_index } => text.push(format!("global {global_index}")),
            other => text.push(format!("{other:?}")),
        }
    }
    Ok(text.join(" "))
}

/// The function that an element expression refers to, if it does.
fn referenced(expression: &ConstExpr<'_>) -> Result<Option<u32>, SurgeryError> {
    for operator in expression.get_operators_reader() {
        if let Operator::RefFunc { function_index } = operator? {
            return Ok(Some(function_index));
        }
    }
    Ok(None)
}

/// Long lists of indices as their length, beginning and hash: equal texts for equal lists, short ones to show.
fn shorten(text: String) -> String {
    const SHOWN_MAX_BYTES: usize = 100;
    if text.len() <= SHOWN_MAX_BYTES {
        return text;
    }
    let fold = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{}… (all of it: {fold:016x})", &text[..SHOWN_MAX_BYTES])
}

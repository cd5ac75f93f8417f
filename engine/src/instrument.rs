//! Rewrites a validated module into the one that is compiled.
//!
//! - Instructions are counted down in a global ([`COUNTER`]); below zero a host function decides.
//! - `memory.grow` asks a host function whether the growth is allowed.
//! - Active data segments become empty: their bytes are in the initial heap.
//! - The start function becomes an export, so that instantiating runs nothing.
//! - Exports are replaced by what the engine looks for: memory, table, methods, the start
//!   function and every global.

use crate::error::{Help, ModuleError};
use crate::meter::{Charge, charges};
use crate::parse::Parsed;
use crate::weights::COMPILE_COST_PER_INSTRUCTION;
use std::convert::Infallible;
use wasm_encoder::reencode::{Error as ReencodeError, Reencode};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, EntityType,
    ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection,
    Instruction, MemorySection, Module, TableSection, TypeSection, ValType,
};
use wasmparser::{DataKind, ExternalKind, FunctionBody, Operator, Parser, Payload};

/// Module name of the host functions this rewriting adds.
pub(crate) const HOST: &str = "engine";
/// Host function called when the counter is below zero.
pub(crate) const OUT_OF_INSTRUCTIONS: &str = "out_of_instructions";
/// Host function called after `memory.grow` with its result and its argument.
pub(crate) const HEAP_GREW: &str = "heap_grew";
/// Export name of the instruction counter.
pub(crate) const COUNTER: &str = "counter";
/// Export name of the memory.
pub(crate) const MEMORY: &str = "memory";
/// Export name of the table callbacks are taken from.
pub(crate) const TABLE: &str = "table";

/// How many imports are added; defined functions move up by as many.
pub(crate) const ADDED_IMPORTS: u32 = 2;

/// Lengths of the functions the replica adds to every module, for the cost of compiling: the
/// counter's slow path and the scan of its stable memory bytemap.
const REPLICA_HELPER_INSTRUCTIONS: u64 = 20 + 46;
/// Globals the replica adds to every module.
const REPLICA_HELPER_GLOBALS: u64 = 3;
/// Lengths of the functions the replica puts in the place of imported ones.
const REPLICA_STABLE_INSTRUCTIONS: [(&str, u64); 8] = [
    ("stable_size", 10),
    ("stable64_size", 2),
    ("stable_grow", 24),
    ("stable64_grow", 21),
    ("stable_read", 106),
    ("stable64_read", 119),
    ("stable_write", 91),
    ("stable64_write", 107),
];

/// Export name of a method or of the start function.
pub(crate) fn method_export(name: &str) -> String {
    format!("method {name}")
}

/// Export name of a global.
pub(crate) fn global_export(index: u32) -> String {
    format!("global {index}")
}

/// A module ready for compilation.
pub(crate) struct Instrumented {
    pub(crate) wasm: Vec<u8>,
    /// Instructions the replica charges for compiling it.
    pub(crate) compile_cost: u64,
}

/// Moves function indexes behind the added imports.
struct Shift {
    imported_functions: u32,
}

impl Reencode for Shift {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, ReencodeError<Infallible>> {
        Ok(if function < self.imported_functions {
            function
        } else {
            function + ADDED_IMPORTS
        })
    }
}

#[derive(Default)]
struct Sections {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    memories: MemorySection,
    globals: GlobalSection,
    exports: ExportSection,
    elements: ElementSection,
    data_count: Option<u32>,
    code: CodeSection,
    data: DataSection,
}

/// Indexes of what was added.
struct Added {
    out_of_instructions: u32,
    charge: u32,
    grow: u32,
    counter: u32,
}

pub(crate) fn instrument(wasm: &[u8], parsed: &Parsed) -> Result<Instrumented, ModuleError> {
    rewrite(wasm, parsed).map_err(|error| {
        ModuleError::instrumentation(
            format!("Failed to serialize wasm module with {error}"),
            Help::Internal,
        )
    })
}

fn rewrite(wasm: &[u8], parsed: &Parsed) -> Result<Instrumented, ReencodeError<Infallible>> {
    let wasm64 = parsed.is_wasm64();
    let total_functions = parsed.functions.len() as u32;
    let added = Added {
        out_of_instructions: parsed.imported_functions,
        charge: total_functions + ADDED_IMPORTS,
        grow: total_functions + ADDED_IMPORTS + 1,
        counter: parsed.globals.len() as u32,
    };
    let mut shift = Shift {
        imported_functions: parsed.imported_functions,
    };
    let mut sections = copy_sections(wasm, &mut shift)?;
    add_helpers(&mut sections, parsed, &added, wasm64);
    add_exports(&mut sections, parsed, &added, &mut shift)?;

    let mut count = REPLICA_HELPER_INSTRUCTIONS;
    for body in &parsed.bodies {
        let (function, instructions) = meter(wasm, body, &added, &mut shift, wasm64)?;
        sections.code.function(&function);
        count += instructions;
    }
    sections.code.function(&charge_function(&added));
    if !parsed.memories.is_empty() {
        sections.code.function(&grow_function(parsed));
    }
    for import in &parsed.imports {
        count += REPLICA_STABLE_INSTRUCTIONS
            .iter()
            .find(|(name, _)| *name == import.name)
            .map_or(0, |(_, instructions)| *instructions);
    }
    count += 2 * (parsed.globals.len() as u64 + REPLICA_HELPER_GLOBALS);
    Ok(Instrumented {
        wasm: finish(sections),
        compile_cost: COMPILE_COST_PER_INSTRUCTION * count,
    })
}

/// Copies everything but exports, start and code; active data segments lose their bytes.
fn copy_sections(wasm: &[u8], shift: &mut Shift) -> Result<Sections, ReencodeError<Infallible>> {
    let mut sections = Sections::default();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::TypeSection(reader) => {
                shift.parse_type_section(&mut sections.types, reader)?;
            }
            Payload::ImportSection(reader) => {
                shift.parse_import_section(&mut sections.imports, reader)?;
            }
            Payload::FunctionSection(reader) => {
                shift.parse_function_section(&mut sections.functions, reader)?;
            }
            Payload::TableSection(reader) => {
                shift.parse_table_section(&mut sections.tables, reader)?;
            }
            Payload::MemorySection(reader) => {
                shift.parse_memory_section(&mut sections.memories, reader)?;
            }
            Payload::GlobalSection(reader) => {
                shift.parse_global_section(&mut sections.globals, reader)?;
            }
            Payload::ElementSection(reader) => {
                shift.parse_element_section(&mut sections.elements, reader)?;
            }
            Payload::DataCountSection { count, .. } => sections.data_count = Some(count),
            Payload::DataSection(reader) => {
                for segment in reader {
                    let segment = segment?;
                    sections.data.passive(match segment.kind {
                        DataKind::Active { .. } => Vec::new(),
                        DataKind::Passive => segment.data.to_vec(),
                    });
                }
            }
            _ => {}
        }
    }
    Ok(sections)
}

fn add_helpers(sections: &mut Sections, parsed: &Parsed, added: &Added, wasm64: bool) {
    let pointer = if wasm64 { ValType::I64 } else { ValType::I32 };
    let types = parsed.types.len() as u32;
    sections.types.ty().function([], []);
    sections.types.ty().function([ValType::I64], [ValType::I64]);
    sections.types.ty().function([pointer, pointer], [pointer]);
    sections.types.ty().function([pointer], [pointer]);
    let imports = &mut sections.imports;
    imports.import(HOST, OUT_OF_INSTRUCTIONS, EntityType::Function(types));
    imports.import(HOST, HEAP_GREW, EntityType::Function(types + 2));
    sections.functions.function(types + 1);
    if !parsed.memories.is_empty() {
        sections.functions.function(types + 3);
    }
    let counter = GlobalType {
        val_type: ValType::I64,
        mutable: true,
        shared: false,
    };
    sections.globals.global(counter, &ConstExpr::i64_const(0));
    sections
        .exports
        .export(COUNTER, ExportKind::Global, added.counter);
}

fn add_exports(
    sections: &mut Sections,
    parsed: &Parsed,
    added: &Added,
    shift: &mut Shift,
) -> Result<(), ReencodeError<Infallible>> {
    let exports = &mut sections.exports;
    if !parsed.memories.is_empty() {
        exports.export(MEMORY, ExportKind::Memory, 0);
    }
    let exported_table = parsed
        .exports
        .iter()
        .find(|export| export.kind == ExternalKind::Table);
    if let Some(export) = exported_table {
        exports.export(TABLE, ExportKind::Table, export.index);
    } else if parsed.table_count > 0 {
        exports.export(TABLE, ExportKind::Table, 0);
    }
    for export in &parsed.exports {
        // Functions that are not called by the system stay exported too: being exported is what
        // declares a function for `ref.func`.
        if export.kind == ExternalKind::Func {
            let function = shift.function_index(export.index)?;
            exports.export(&method_export(export.name), ExportKind::Func, function);
        }
    }
    if let Some(start) = parsed.start {
        let function = shift.function_index(start)?;
        exports.export(&method_export("canister_start"), ExportKind::Func, function);
    }
    for index in 0..added.counter {
        exports.export(&global_export(index), ExportKind::Global, index);
    }
    Ok(())
}

/// A body with its charges, and how many instructions it has after the replica's rewriting.
fn meter(
    wasm: &[u8],
    body: &FunctionBody,
    added: &Added,
    shift: &mut Shift,
    wasm64: bool,
) -> Result<(Function, u64), ReencodeError<Infallible>> {
    let mut locals = Vec::new();
    for local in body.get_locals_reader()? {
        let (count, ty) = local?;
        locals.push((count, shift.val_type(ty)?));
    }
    let mut function = Function::new(locals);

    let (operators, mut offsets): (Vec<_>, Vec<_>) = body
        .get_operators_reader()?
        .into_iter_with_offsets()
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .unzip();
    offsets.push(body.range().end);

    let points = charges(&operators, wasm64);
    let mut count = operators.len() as u64;
    let mut next_point = points.iter().peekable();
    for (position, operator) in operators.iter().enumerate() {
        while let Some(point) = next_point.next_if(|point| point.position == position) {
            count += point.replica_instructions();
            charge(&mut function, point.charge, added);
        }
        match *operator {
            Operator::Call { function_index } => {
                let target = shift.function_index(function_index)?;
                function.instruction(&Instruction::Call(target));
            }
            Operator::ReturnCall { function_index } => {
                let target = shift.function_index(function_index)?;
                function.instruction(&Instruction::ReturnCall(target));
            }
            Operator::RefFunc { function_index } => {
                let target = shift.function_index(function_index)?;
                function.instruction(&Instruction::RefFunc(target));
            }
            Operator::MemoryGrow { .. } => {
                count += 3;
                function.instruction(&Instruction::Call(added.grow));
            }
            _ => {
                let bytes = &wasm[offsets[position]..offsets[position + 1]];
                function.raw(bytes.iter().copied());
            }
        }
    }
    Ok((function, count))
}

fn charge(function: &mut Function, charge: Charge, added: &Added) {
    match charge {
        Charge::Block { cost, check } => {
            function
                .instruction(&Instruction::GlobalGet(added.counter))
                .instruction(&Instruction::I64Const(cost as i64))
                .instruction(&Instruction::I64Sub)
                .instruction(&Instruction::GlobalSet(added.counter));
            if check {
                check_counter(function, added);
            }
        }
        Charge::Length64 => {
            function.instruction(&Instruction::Call(added.charge));
        }
        Charge::Length32 => {
            function
                .instruction(&Instruction::I64ExtendI32U)
                .instruction(&Instruction::Call(added.charge))
                .instruction(&Instruction::I32WrapI64);
        }
    }
}

fn check_counter(function: &mut Function, added: &Added) {
    function
        .instruction(&Instruction::GlobalGet(added.counter))
        .instruction(&Instruction::I64Const(0))
        .instruction(&Instruction::I64LtS)
        .instruction(&Instruction::If(BlockType::Empty))
        .instruction(&Instruction::Call(added.out_of_instructions))
        .instruction(&Instruction::End);
}

/// `(length) -> length`: charges a length, stopping at the least counter value on underflow.
fn charge_function(added: &Added) -> Function {
    let mut function = Function::new([(1, ValType::I64)]);
    function
        .instruction(&Instruction::I64Const(i64::MIN))
        .instruction(&Instruction::GlobalGet(added.counter))
        .instruction(&Instruction::LocalGet(0))
        .instruction(&Instruction::I64Sub)
        .instruction(&Instruction::LocalTee(1))
        .instruction(&Instruction::LocalGet(1))
        .instruction(&Instruction::GlobalGet(added.counter))
        .instruction(&Instruction::I64GtS)
        .instruction(&Instruction::Select)
        .instruction(&Instruction::GlobalSet(added.counter));
    check_counter(&mut function, added);
    function
        .instruction(&Instruction::LocalGet(0))
        .instruction(&Instruction::End);
    function
}

/// `(pages) -> result`: `memory.grow`, then the host's consent.
fn grow_function(parsed: &Parsed) -> Function {
    let mut function = Function::new([]);
    function
        .instruction(&Instruction::LocalGet(0))
        .instruction(&Instruction::MemoryGrow(0))
        .instruction(&Instruction::LocalGet(0))
        .instruction(&Instruction::Call(parsed.imported_functions + 1))
        .instruction(&Instruction::End);
    function
}

fn finish(sections: Sections) -> Vec<u8> {
    let mut module = Module::new();
    module.section(&sections.types).section(&sections.imports);
    module.section(&sections.functions);
    if !sections.tables.is_empty() {
        module.section(&sections.tables);
    }
    if !sections.memories.is_empty() {
        module.section(&sections.memories);
    }
    module.section(&sections.globals).section(&sections.exports);
    if !sections.elements.is_empty() {
        module.section(&sections.elements);
    }
    if let Some(count) = sections.data_count {
        module.section(&DataCountSection { count });
    }
    module.section(&sections.code);
    if !sections.data.is_empty() {
        module.section(&sections.data);
    }
    module.finish()
}

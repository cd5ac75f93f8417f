//! What each WebAssembly instruction costs, in instructions as the Internet Computer counts them.
//!
//! Numbers are those of the replica (October 2025). Everything not listed costs 1.

use wasmparser::Operator;

/// Instructions charged per instruction for compiling a module.
pub(crate) const COMPILE_COST_PER_INSTRUCTION: u64 = 6_000;

/// The static cost of an instruction; what bulk operations cost per element comes on top.
pub(crate) fn weight(operator: &Operator, wasm64: bool) -> u64 {
    use Operator::*;
    match operator {
        Block { .. } | Loop { .. } | Else | End => 0,

        I32DivS | I32DivU | I32RemS | I32RemU | I64DivS | I64DivU | I64RemS | I64RemU => 10,

        I32Load { .. }
        | I64Load { .. }
        | F32Load { .. }
        | F64Load { .. }
        | I32Load8S { .. }
        | I32Load8U { .. }
        | I32Load16S { .. }
        | I32Load16U { .. }
        | I64Load8S { .. }
        | I64Load8U { .. }
        | I64Load16S { .. }
        | I64Load16U { .. }
        | I64Load32S { .. }
        | I64Load32U { .. }
        | I32Store { .. }
        | I64Store { .. }
        | F32Store { .. }
        | F64Store { .. }
        | I32Store8 { .. }
        | I32Store16 { .. }
        | I64Store8 { .. }
        | I64Store16 { .. }
        | I64Store32 { .. }
        | V128Load { .. }
        | V128Load8x8S { .. }
        | V128Load8x8U { .. }
        | V128Load16x4S { .. }
        | V128Load16x4U { .. }
        | V128Load32x2S { .. }
        | V128Load32x2U { .. }
        | V128Load8Splat { .. }
        | V128Load16Splat { .. }
        | V128Load32Splat { .. }
        | V128Load64Splat { .. }
        | V128Load32Zero { .. }
        | V128Load64Zero { .. }
        | V128Store { .. }
        | V128Load8Lane { .. }
        | V128Load16Lane { .. }
        | V128Load32Lane { .. }
        | V128Load64Lane { .. }
        | V128Store8Lane { .. }
        | V128Store16Lane { .. }
        | V128Store32Lane { .. }
        | V128Store64Lane { .. } => 1 + u64::from(wasm64),

        GlobalGet { .. }
        | GlobalSet { .. }
        | If { .. }
        | Br { .. }
        | BrIf { .. }
        | BrTable { .. } => 2,
        Call { .. } | TableGet { .. } | TableSet { .. } | RefIsNull => 5,
        CallIndirect { .. } => 10,
        ReturnCall { .. } => 3,
        ReturnCallIndirect { .. } => 60,
        RefFunc { .. } => 130,
        MemorySize { .. } => 20,
        TableSize { .. } => 100,
        MemoryFill { .. }
        | MemoryCopy { .. }
        | MemoryInit { .. }
        | TableFill { .. }
        | TableCopy { .. }
        | TableInit { .. } => 100,
        MemoryGrow { .. } | TableGrow { .. } | DataDrop { .. } | ElemDrop { .. } => 300,

        F32Add | F32Sub | F32Mul | F32Ceil | F32Floor | F32Trunc | F32Nearest | F64Add | F64Sub
        | F64Mul | F64Ceil | F64Floor | F64Trunc | F64Nearest | F32Copysign => 2,
        F32Div | F64Copysign => 3,
        F32Eq | F32Ne | F32Lt | F32Gt | F32Le | F32Ge | F64Eq | F64Ne | F64Lt | F64Gt | F64Le
        | F64Ge => 3,
        F32ConvertI32S | F64ConvertI64S | F32ConvertI64S | F64ConvertI32S => 3,
        F64Div | F32Sqrt => 5,
        F64Sqrt => 8,
        F64ConvertI32U | F32ConvertI64U | F32ConvertI32U | F64ConvertI64U => 16,
        F32Min | F32Max | F64Min | F64Max => 18,
        I32TruncF32S | I32TruncF32U | I32TruncF64S | I32TruncF64U | I64TruncF32S | I64TruncF32U
        | I64TruncF64S | I64TruncF64U | I32TruncSatF32S | I32TruncSatF32U | I32TruncSatF64S
        | I32TruncSatF64U | I64TruncSatF32S | I64TruncSatF32U | I64TruncSatF64S
        | I64TruncSatF64U => 20,

        I8x16LtU | I8x16GtU | I16x8LtU | I16x8GtU | I32x4LtU | I32x4GtU => 2,
        I8x16Shuffle { .. } | I8x16Popcnt | I8x16Shl | I8x16ShrS | I64x2ShrS => 3,
        I8x16ShrU | I16x8Shl | I16x8ShrS | I16x8ShrU | I32x4Shl | I32x4ShrS | I32x4ShrU
        | I64x2Shl | I64x2ShrU => 2,
        I16x8ExtAddPairwiseI8x16U | I16x8ExtMulHighI8x16S | I16x8ExtMulHighI8x16U => 2,
        I32x4ExtAddPairwiseI16x8U => 3,
        I32x4Mul
        | I32x4ExtMulLowI16x8S
        | I32x4ExtMulHighI16x8S
        | I32x4ExtMulLowI16x8U
        | I32x4ExtMulHighI16x8U => 2,
        I64x2Mul => 4,
        F32x4Ceil | F32x4Floor | F32x4Trunc | F32x4Nearest | F32x4Abs | F32x4Neg | F32x4Add
        | F32x4Sub | F32x4Mul | F64x2Ceil | F64x2Floor | F64x2Trunc | F64x2Nearest | F64x2Abs
        | F64x2Neg | F64x2Add | F64x2Sub | F64x2Mul => 2,
        F32x4Min | F32x4Max | F64x2Min => 4,
        F64x2Max | F32x4Sqrt => 5,
        F32x4Div => 10,
        F64x2Div => 12,
        F64x2Sqrt => 14,
        I32x4TruncSatF32x4S | I32x4TruncSatF64x2SZero => 2,
        I32x4TruncSatF64x2UZero => 3,
        I32x4TruncSatF32x4U | F32x4ConvertI32x4U => 4,

        _ => 1,
    }
}

/// How hard an instruction is on the compiler; `Err` names an instruction that is not allowed.
pub(crate) fn complexity(operator: &Operator) -> Result<u64, &'static str> {
    use Operator::*;
    Ok(match operator {
        TableGrow { .. } => return Err("table.grow"),
        TableSet { .. } => return Err("table.set"),
        TableFill { .. } => return Err("table.fill"),
        TableCopy { .. } => return Err("table.copy"),
        TableInit { .. } => return Err("table.init"),

        Block { .. }
        | Loop { .. }
        | If { .. }
        | Br { .. }
        | BrIf { .. }
        | BrTable { .. }
        | Call { .. }
        | CallIndirect { .. }
        | MemoryGrow { .. } => 50,
        TableGet { .. } => 14,
        RefFunc { .. } => 8,
        RefIsNull => 6,
        I32TruncF32S | I32TruncF32U | I32TruncF64S | I32TruncF64U | I64ExtendI32S
        | I64ExtendI32U | I64TruncF32S | I64TruncF32U | I64TruncF64S | I64TruncF64U
        | F32ConvertI32S | F32ConvertI32U | F32ConvertI64S | F32ConvertI64U | F32DemoteF64
        | F64ConvertI32S | F64ConvertI32U | F64ConvertI64S | F64ConvertI64U => 5,
        F32Neg | F32Abs | F64Neg | F64Abs | MemoryCopy { .. } => 4,
        F32Copysign
        | F64Copysign
        | F64Eq
        | I32RemU
        | I32RemS
        | I64RemU
        | I64RemS
        | I32DivU
        | I32DivS
        | I64DivU
        | I64DivS
        | MemoryFill { .. }
        | I32Load { .. }
        | I64Load { .. }
        | F32Load { .. }
        | F64Load { .. }
        | I32Load8S { .. }
        | I32Load8U { .. }
        | I32Load16S { .. }
        | I32Load16U { .. }
        | I64Load8S { .. }
        | I64Load8U { .. }
        | I64Load16S { .. }
        | I64Load16U { .. }
        | I64Load32S { .. }
        | I64Load32U { .. }
        | I32TruncSatF32S
        | I32TruncSatF32U
        | I32TruncSatF64S
        | I32TruncSatF64U
        | I64TruncSatF32S
        | I64TruncSatF32U
        | I64TruncSatF64S
        | I64TruncSatF64U => 3,
        GlobalGet { .. }
        | I32Popcnt
        | I64Popcnt
        | Select
        | MemorySize { .. }
        | I32Store { .. }
        | I32Store16 { .. }
        | I32Store8 { .. }
        | I64Store { .. }
        | I64Store32 { .. }
        | I64Store16 { .. }
        | I64Store8 { .. }
        | F64Store { .. }
        | F32Store { .. }
        | I32Eqz
        | I32Eq
        | I32Ne
        | I32LtS
        | I32LtU
        | I32GtS
        | I32GtU
        | I32LeS
        | I32LeU
        | I32GeS
        | I32GeU
        | I64Eqz
        | I64Eq
        | I64Ne
        | I64LtS
        | I64LtU
        | I64GtS
        | I64GtU
        | I64LeS
        | I64LeU
        | I64GeS
        | I64GeU
        | F32Eq
        | F32Ne
        | F32Lt
        | F32Gt
        | F32Le
        | F32Ge
        | F64Ne
        | F64Lt
        | F64Gt
        | F64Le
        | F64Ge
        | F32Ceil
        | F64Ceil
        | F32Floor
        | F64Floor
        | F32Sqrt
        | F64Sqrt
        | F32Trunc
        | F64Trunc
        | I32ReinterpretF32
        | I64ReinterpretF64
        | F32ReinterpretI32
        | F64ReinterpretI64
        | I32WrapI64
        | I32Extend8S
        | I32Extend16S
        | I64Extend8S
        | I64Extend16S
        | I64Extend32S
        | F64PromoteF32 => 2,
        _ => 1,
    })
}

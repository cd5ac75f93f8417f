//! Where a function body is charged for its instructions, by the replica's rule.
//!
//! A body is cut into straight-line blocks. Each block is charged as a whole when it is entered,
//! and at function entry and at each loop entry the counter is checked as well. Bulk memory
//! instructions are charged for their length right before they run. So a block counts in full
//! even when it traps in its first instruction, and the counter may dip below zero before the
//! next check.

use crate::weights::weight;
use wasmparser::Operator;

/// What is charged at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// The cost of the following block; `check` where a function or loop begins.
    Block { cost: u64, check: bool },
    /// The 32-bit length on top of the stack.
    Length32,
    /// The 64-bit length on top of the stack.
    Length64,
}

/// A charge before the instruction at `position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) position: usize,
    pub(crate) charge: Charge,
}

impl Point {
    /// How many instructions the replica's instrumentation adds for this charge: what compiling
    /// costs is counted after it.
    pub(crate) fn replica_instructions(&self) -> u64 {
        match self.charge {
            Charge::Block { check: false, .. } => 4,
            Charge::Block { check: true, .. } => 10,
            Charge::Length32 => 3,
            Charge::Length64 => 1,
        }
    }
}

/// All charges of a body, in order of position.
pub(crate) fn charges(body: &[Operator], wasm64: bool) -> Vec<Point> {
    let mut points = Vec::new();
    let mut start = 0;
    // Calling even an empty function costs something.
    let mut cost = 1;
    let mut check = true;
    for (position, operator) in body.iter().enumerate() {
        cost += weight(operator, wasm64);
        let next_check = match operator {
            Operator::Loop { .. } => true,
            Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Unreachable
            | Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. } => false,
            Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } => {
                points.push(Point {
                    position,
                    charge: if wasm64 {
                        Charge::Length64
                    } else {
                        Charge::Length32
                    },
                });
                continue;
            }
            // Its length is 32-bit with 64-bit memories too.
            Operator::MemoryInit { .. } => {
                points.push(Point {
                    position,
                    charge: Charge::Length32,
                });
                continue;
            }
            _ => continue,
        };
        if check || cost > 0 {
            points.push(Point {
                position: start,
                charge: Charge::Block { cost, check },
            });
        }
        start = position + 1;
        cost = 0;
        check = next_check;
    }
    // Stable: a length stays ahead of the block that begins with its instruction.
    points.sort_by_key(|point| point.position);
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::{Parser, Payload};

    /// The charges of the first function of a module: position, cost, check.
    fn blocks(body: &str) -> Vec<(usize, u64, bool)> {
        let wasm = wat::parse_str(format!("(module (memory 1) (func (local i32) {body}))"));
        let wasm = wasm.unwrap();
        let mut operators = Vec::new();
        for payload in Parser::new(0).parse_all(&wasm) {
            if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                let reader = body.get_operators_reader().unwrap();
                operators = reader.into_iter().collect::<Result<_, _>>().unwrap();
            }
        }
        let points = charges(&operators, false).into_iter();
        points
            .map(|point| match point.charge {
                Charge::Block { cost, check } => (point.position, cost, check),
                Charge::Length32 | Charge::Length64 => (point.position, 0, false),
            })
            .collect()
    }

    #[test]
    fn an_empty_function_costs_one() {
        assert_eq!(blocks(""), [(0, 1, true)]);
    }

    #[test]
    fn both_arms_of_a_branch_are_charged_when_entered() {
        let body = "(if (local.get 0) (then (nop)) (else (nop) (nop))) (nop)";
        // local.get, if | nop | else: nop, nop | nop
        assert_eq!(
            blocks(body),
            [(0, 4, true), (2, 1, false), (4, 2, false), (7, 1, false)]
        );
    }

    #[test]
    fn a_loop_is_checked_at_each_turn_even_when_it_is_empty() {
        assert_eq!(blocks("(loop)"), [(0, 1, true), (1, 0, true)]);
        assert_eq!(blocks("(loop (br 0))"), [(0, 1, true), (1, 2, true)]);
    }

    #[test]
    fn code_after_a_branch_is_a_block_of_its_own() {
        let body = "(block (br_if 0 (local.get 0)) (nop)) (nop)";
        assert_eq!(blocks(body), [(0, 4, true), (3, 1, false), (5, 1, false)]);
    }

    #[test]
    fn a_length_is_charged_before_its_instruction_within_its_block() {
        let body = "(memory.fill (local.get 0) (local.get 0) (local.get 0))";
        assert_eq!(blocks(body), [(0, 104, true), (3, 0, false)]);
    }
}

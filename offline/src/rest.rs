//! Proof that a module's globals have their initial values whenever no message runs.
//!
//! Compilers keep a stack pointer in a mutable global: functions lower it when they begin and put
//! it back when they end. If every function puts back every global it writes, then by induction
//! over calls each finished message leaves all globals as it found them; a message that traps
//! leaves them anyway. So the values at rest are the initial ones, and a backup that does not hold
//! them loses nothing.
//!
//! The proof follows each function symbolically. A value is known as "what global g held when the
//! function began, plus a constant", as a constant, or not at all. What the proof does not
//! understand it takes for unknown, so that it may fail to prove what is true, never the reverse.
//! It speaks of code alone: values that somebody put into a snapshot by hand are not covered.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use wasmparser::{Operator, Parser, Payload};

/// What is known about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Unknown,
    Constant(i64),
    /// What the global held at the beginning of the function, plus an offset.
    Entry {
        global: u32,
        offset: i64,
    },
}

/// What is known at one point of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    /// Of each global that the module writes.
    globals: BTreeMap<u32, Value>,
    /// Of locals; those that are missing are unknown.
    locals: HashMap<u32, Value>,
}

impl Known {
    fn merge(&mut self, other: &Known) {
        for (global, value) in &mut self.globals {
            if other.globals.get(global) != Some(value) {
                *value = Value::Unknown;
            }
        }
        self.locals
            .retain(|local, value| other.locals.get(local) == Some(value));
    }

    fn preserves(&self) -> bool {
        let kept = |(global, value): (&u32, &Value)| {
            *value
                == Value::Entry {
                    global: *global,
                    offset: 0,
                }
        };
        self.globals.iter().all(kept)
    }
}

/// An open block.
struct Frame {
    kind: Kind,
    /// What is known where branches to the end of the block arrive.
    exit: Option<Known>,
}

enum Kind {
    Block,
    /// Branches arrive at the head, where this is known.
    Loop(Known),
    /// What is known when the condition is false and there was no `else` yet.
    If(Option<Known>),
}

/// Proves that all globals of `wasm` hold their initial values between messages.
///
/// # Errors
/// Where the proof fails, in words.
pub fn initial_at_rest(wasm: &[u8]) -> Result<(), String> {
    let mut bodies = Vec::new();
    let mut imported = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|error| error.to_string())? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(|error| error.to_string())?;
                    if matches!(import.ty, wasmparser::TypeRef::Func(_)) {
                        imported += 1;
                    }
                }
            }
            Payload::CodeSectionEntry(body) => {
                let reader = body.get_operators_reader().map_err(|e| e.to_string())?;
                let operators: Result<Vec<_>, _> = reader.into_iter().collect();
                bodies.push(operators.map_err(|error| error.to_string())?);
            }
            _ => {}
        }
    }
    let written: BTreeSet<u32> = bodies
        .iter()
        .flatten()
        .filter_map(|operator| match operator {
            Operator::GlobalSet { global_index } => Some(*global_index),
            _ => None,
        })
        .collect();
    for (index, body) in bodies.iter().enumerate() {
        let touches = body
            .iter()
            .any(|operator| matches!(operator, Operator::GlobalSet { .. }));
        if touches && let Err(why) = Walk::new(&written, body).run(body) {
            return Err(format!("function {} {why}", imported + index));
        }
    }
    Ok(())
}

/// One function followed from its beginning to its end.
struct Walk {
    /// What is known here; none where control never comes.
    here: Option<Known>,
    /// Values on top of the stack; below them nothing is known.
    stack: Vec<Value>,
    frames: Vec<Frame>,
    /// Locals written inside each loop, by the position of the loop.
    written_in_loop: HashMap<usize, BTreeSet<u32>>,
}

const UNBALANCED: &str = "does not put a global back";

impl Walk {
    fn new(written: &BTreeSet<u32>, body: &[Operator]) -> Self {
        let entry = |&global: &u32| (global, Value::Entry { global, offset: 0 });
        let known = Known {
            globals: written.iter().map(entry).collect(),
            locals: HashMap::new(),
        };
        Self {
            here: Some(known),
            stack: Vec::new(),
            frames: vec![Frame {
                kind: Kind::Block,
                exit: None,
            }],
            written_in_loop: written_in_loops(body),
        }
    }

    fn run(mut self, body: &[Operator]) -> Result<(), String> {
        for (position, operator) in body.iter().enumerate() {
            self.step(position, operator)?;
        }
        match self.here {
            Some(known) if !known.preserves() => Err(UNBALANCED.into()),
            _ => Ok(()),
        }
    }

    fn step(&mut self, position: usize, operator: &Operator) -> Result<(), String> {
        match operator {
            Operator::Block { .. } => self.open(Kind::Block),
            Operator::Loop { .. } => self.open_loop(position),
            Operator::If { .. } => self.open(Kind::If(self.here.clone())),
            Operator::Else => self.otherwise(),
            Operator::End => self.close(),
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth)?;
                self.here = None;
            }
            Operator::BrIf { relative_depth } => {
                self.branch(*relative_depth)?;
                self.stack.clear();
            }
            Operator::BrTable { targets } => {
                for target in targets.targets() {
                    self.branch(target.map_err(|error| error.to_string())?)?;
                }
                self.branch(targets.default())?;
                self.here = None;
            }
            Operator::Return
            | Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. } => {
                if self.here.as_ref().is_some_and(|known| !known.preserves()) {
                    return Err(UNBALANCED.into());
                }
                self.here = None;
            }
            Operator::Unreachable => self.here = None,
            Operator::TryTable { .. }
            | Operator::Throw { .. }
            | Operator::ThrowRef
            | Operator::BrOnNull { .. }
            | Operator::BrOnNonNull { .. } => {
                return Err("branches in a way that is not understood".into());
            }
            other => self.plain(other),
        }
        Ok(())
    }

    fn plain(&mut self, operator: &Operator) {
        let Some(here) = &mut self.here else { return };
        match operator {
            Operator::I32Const { value } => self.stack.push(Value::Constant(i64::from(*value))),
            Operator::I64Const { value } => self.stack.push(Value::Constant(*value)),
            Operator::GlobalGet { global_index } => {
                let value = here.globals.get(global_index).copied();
                self.stack.push(value.unwrap_or(Value::Unknown));
            }
            Operator::GlobalSet { global_index } => {
                let value = self.stack.pop().unwrap_or(Value::Unknown);
                here.globals.insert(*global_index, value);
            }
            Operator::LocalGet { local_index } => {
                let value = here.locals.get(local_index).copied();
                self.stack.push(value.unwrap_or(Value::Unknown));
            }
            Operator::LocalSet { local_index } => {
                let value = self.stack.pop().unwrap_or(Value::Unknown);
                here.locals.insert(*local_index, value);
            }
            Operator::LocalTee { local_index } => {
                let value = self.stack.last().copied().unwrap_or(Value::Unknown);
                here.locals.insert(*local_index, value);
            }
            Operator::I32Add => self.sum(|sum| i64::from(sum as i32), 1),
            Operator::I32Sub => self.sum(|sum| i64::from(sum as i32), -1),
            Operator::I64Add => self.sum(|sum| sum, 1),
            Operator::I64Sub => self.sum(|sum| sum, -1),
            Operator::Drop => {
                self.stack.pop();
            }
            Operator::Nop => {}
            _ => self.stack.clear(),
        }
    }

    /// Adds or subtracts the two topmost values, `wrap` brings the result into the type's range.
    fn sum(&mut self, wrap: fn(i64) -> i64, sign: i64) {
        let second = self.stack.pop().unwrap_or(Value::Unknown);
        let first = self.stack.pop().unwrap_or(Value::Unknown);
        let add = |a: i64, b: i64| wrap(a.wrapping_add(b.wrapping_mul(sign)));
        self.stack.push(match (first, second) {
            (Value::Constant(a), Value::Constant(b)) => Value::Constant(add(a, b)),
            (Value::Entry { global, offset }, Value::Constant(b)) => Value::Entry {
                global,
                offset: add(offset, b),
            },
            (Value::Constant(a), Value::Entry { global, offset }) if sign == 1 => Value::Entry {
                global,
                offset: add(offset, a),
            },
            _ => Value::Unknown,
        });
    }

    fn open(&mut self, kind: Kind) {
        self.stack.clear();
        self.frames.push(Frame { kind, exit: None });
    }

    fn open_loop(&mut self, position: usize) {
        let Some(here) = &mut self.here else {
            return self.open(Kind::Block);
        };
        // A later turn may find other values in what the loop writes.
        if let Some(written) = self.written_in_loop.get(&position) {
            here.locals.retain(|local, _| !written.contains(local));
        }
        let head = here.clone();
        self.open(Kind::Loop(head));
    }

    fn otherwise(&mut self) {
        self.stack.clear();
        if let Some(frame) = self.frames.last_mut() {
            if let Some(here) = self.here.take() {
                join(&mut frame.exit, &here);
            }
            if let Kind::If(condition_false) = &mut frame.kind {
                self.here = condition_false.take();
            }
        }
    }

    fn close(&mut self) {
        self.stack.clear();
        let Some(frame) = self.frames.pop() else {
            return;
        };
        let mut exit = frame.exit;
        if let Some(here) = self.here.take() {
            join(&mut exit, &here);
        }
        if let Kind::If(Some(condition_false)) = frame.kind {
            join(&mut exit, &condition_false);
        }
        self.here = exit;
    }

    fn branch(&mut self, depth: u32) -> Result<(), String> {
        let Some(here) = &self.here else {
            return Ok(());
        };
        let index = self.frames.len().checked_sub(1 + depth as usize);
        let frame = index.and_then(|index| self.frames.get_mut(index));
        let frame = frame.ok_or("branches out of itself")?;
        match &frame.kind {
            Kind::Loop(head) if head.globals != here.globals => {
                Err("moves a global from turn to turn of a loop".into())
            }
            Kind::Loop(_) => Ok(()),
            Kind::Block | Kind::If(_) => {
                join(&mut frame.exit, here);
                Ok(())
            }
        }
    }
}

fn join(exit: &mut Option<Known>, here: &Known) {
    match exit {
        Some(known) => known.merge(here),
        None => *exit = Some(here.clone()),
    }
}

/// Locals written inside each loop.
fn written_in_loops(body: &[Operator]) -> HashMap<usize, BTreeSet<u32>> {
    let mut found: HashMap<usize, BTreeSet<u32>> = HashMap::new();
    let mut open: Vec<Option<usize>> = Vec::new();
    for (position, operator) in body.iter().enumerate() {
        match operator {
            Operator::Loop { .. } => open.push(Some(position)),
            Operator::Block { .. } | Operator::If { .. } => open.push(None),
            Operator::End => {
                open.pop();
            }
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                for position in open.iter().flatten() {
                    found.entry(*position).or_default().insert(*local_index);
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proves(functions: &str) -> bool {
        let module = format!(
            "(module (memory 1) (global $sp (mut i32) (i32.const 65536))
               (global $n (mut i32) (i32.const 0)) {functions})"
        );
        initial_at_rest(&wat::parse_str(module).unwrap()).is_ok()
    }

    const BALANCED: &str = "(func $f (param i32) (local i32)
        (local.set 1 (i32.sub (global.get $sp) (i32.const 32)))
        (global.set $sp (local.get 1))
        (i32.store (local.get 1) (local.get 0))
        (global.set $sp (i32.add (local.get 1) (i32.const 32))))";

    #[test]
    fn a_stack_pointer_that_is_put_back_is_at_rest() {
        assert!(proves(""));
        assert!(proves(BALANCED));
        assert!(proves(
            "(func (local i32)
               (global.set $sp (local.tee 0 (i32.sub (global.get $sp) (i32.const 16))))
               (block (loop (br_if 1 (i32.load (i32.const 0))) (br 0)))
               (if (i32.load (i32.const 8))
                 (then (global.set $sp (i32.add (local.get 0) (i32.const 16))) (return)))
               (global.set $sp (i32.add (local.get 0) (i32.const 16))))"
        ));
        // A function that never returns need not put anything back.
        assert!(proves(
            "(func (global.set $sp (i32.const 1)) (unreachable))"
        ));
    }

    #[test]
    fn what_is_not_put_back_is_found() {
        for body in [
            // A counter.
            "(func (global.set $n (i32.add (global.get $n) (i32.const 1))))",
            // Not on every way out.
            "(func (local i32)
               (global.set $sp (local.tee 0 (i32.sub (global.get $sp) (i32.const 16))))
               (if (i32.load (i32.const 8)) (then (return)))
               (global.set $sp (i32.add (local.get 0) (i32.const 16))))",
            // By another amount.
            "(func (local i32)
               (global.set $sp (local.tee 0 (i32.sub (global.get $sp) (i32.const 16))))
               (global.set $sp (i32.add (local.get 0) (i32.const 8))))",
            // From a local that a loop changed.
            "(func (local i32)
               (local.set 0 (global.get $sp))
               (block (loop (br_if 1 (i32.load (i32.const 0)))
                 (local.set 0 (i32.add (local.get 0) (i32.const 4))) (br 0)))
               (global.set $sp (local.get 0)))",
            // From the other global.
            "(func (global.set $sp (global.get $n)))",
            // A loop that moves it.
            "(func (loop (global.set $sp (i32.sub (global.get $sp) (i32.const 4)))
               (br_if 0 (i32.load (i32.const 0)))))",
        ] {
            assert!(!proves(body), "{body}");
        }
    }
}

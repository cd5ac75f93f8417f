//! What a running message has around it: the store data of an instance.

use super::context::Context;
use crate::entry::Entry;
use crate::env::{Env, Limits};
use crate::error::{ExecutionError, TrapCode};
use crate::outcome::{Effects, OutgoingCall};
use crate::relaxed::Running;
use crate::slices::Slices;
use crate::stable::StableMemory;
use crate::touched::TouchedPages;
use std::collections::BTreeMap;
use wasmtime::{Caller, Global, Memory, StoreLimits, StoreLimitsBuilder, Val, WasmBacktrace};

/// Tables and table elements an instance may have.
const TABLES_MAX: usize = 1;
const TABLE_ELEMENTS_MAX: usize = 1_000_000;

/// Bytes of log one message can leave behind; also the longest record.
const LOG_MAX_BYTES: usize = 4096;
/// Bytes a record takes beside its text: index, time and length.
const LOG_RECORD_OVERHEAD_BYTES: usize = 40;

/// State of one running message.
pub(crate) struct Host {
    pub(crate) context: Context,
    pub(crate) entry: Entry,
    pub(crate) env: Env,
    pub(crate) limits: Limits,
    pub(crate) wasm64: bool,
    pub(crate) slices: Slices,
    /// The instance's instruction counter and memory; set after instantiation.
    pub(crate) counter: Option<Global>,
    pub(crate) memory: Option<Memory>,
    /// The error a system call ended the message with.
    pub(crate) error: Option<ExecutionError>,
    /// Where the code was when a system call trapped: function indexes, innermost first.
    pub(crate) frames: Vec<u32>,
    /// The system function that trapped, where it counts as a frame of the canister's.
    pub(crate) innermost_frame: Option<&'static str>,
    pub(crate) log: MessageLog,
    pub(crate) stable: StableMemory,
    pub(crate) touched: TouchedPages,
    /// Cycles the canister has at this moment.
    pub(crate) balance: u128,
    pub(crate) reply_data: Vec<u8>,
    /// The call under construction.
    pub(crate) call: Option<OutgoingCall>,
    /// Requests made by this message, by callee (bytes of its id).
    pub(crate) requests_made: BTreeMap<Vec<u8>, usize>,
    pub(crate) effects: Effects,
    pub(crate) store_limits: StoreLimits,
    /// Relaxed rules; none on chain.
    pub(crate) relaxed: Option<Box<Running>>,
}

impl Host {
    pub(crate) fn new(
        entry: &Entry,
        env: &Env,
        limits: &Limits,
        stable: StableMemory,
        wasm64: bool,
    ) -> Self {
        Self {
            context: Context::new(entry, env.replicated),
            entry: entry.clone(),
            balance: env.cycle_balance,
            env: env.clone(),
            limits: *limits,
            wasm64,
            slices: Slices::new(limits),
            counter: None,
            memory: None,
            error: None,
            frames: Vec::new(),
            innermost_frame: None,
            log: MessageLog::default(),
            stable,
            touched: TouchedPages::default(),
            reply_data: Vec::new(),
            call: None,
            requests_made: BTreeMap::new(),
            effects: Effects::default(),
            store_limits: StoreLimitsBuilder::new()
                .tables(TABLES_MAX)
                .table_elements(TABLE_ELEMENTS_MAX)
                .build(),
            relaxed: None,
        }
    }

    /// The counter is below zero: its value for the next slice, or the end.
    fn next_slice(&mut self, counter: i64) -> Result<i64, ExecutionError> {
        let next = self.slices.next(counter)?;
        if let Some(running) = &mut self.relaxed {
            running.progress(self.slices.used(next));
        }
        Ok(next)
    }
}

/// Log lines of one message, and how much of the log's space they take.
#[derive(Debug, Default)]
pub(crate) struct MessageLog {
    pub(crate) lines: Vec<Vec<u8>>,
    /// Index of the oldest line that still fits.
    oldest: usize,
    used_bytes: usize,
}

impl MessageLog {
    /// Instructions charged for logging a text: it is stored, an older one removed, and what is
    /// not pushed out again is transmitted.
    fn charge(&self, text_bytes: usize) -> u64 {
        let left = LOG_MAX_BYTES.saturating_sub(self.used_bytes);
        let stored = text_bytes.min(LOG_MAX_BYTES);
        let transmitted = text_bytes.min(left);
        2 * stored as u64 + super::BYTE_TRANSMISSION_COST * transmitted as u64
    }

    /// What `debug_print` and `trap` are charged per text: logging and printing it.
    pub(crate) fn charge_with_text(&self, text_bytes: usize) -> u64 {
        (text_bytes as u64).saturating_add(self.charge(text_bytes))
    }

    pub(crate) fn push(&mut self, mut line: Vec<u8>) {
        line.truncate(LOG_MAX_BYTES - LOG_RECORD_OVERHEAD_BYTES);
        let bytes = |line: &Vec<u8>| line.len() + LOG_RECORD_OVERHEAD_BYTES;
        self.used_bytes += bytes(&line);
        self.lines.push(line);
        while self.used_bytes > LOG_MAX_BYTES {
            self.used_bytes -= bytes(&self.lines[self.oldest]);
            self.oldest += 1;
        }
    }
}

/// Function indexes of a backtrace.
pub(crate) fn frames(backtrace: &WasmBacktrace) -> Vec<u32> {
    let frames = backtrace.frames().iter();
    frames.map(wasmtime::FrameInfo::func_index).collect()
}

/// Ends the message with an error.
pub(crate) fn fail(caller: &mut Caller<'_, Host>, error: ExecutionError) -> wasmtime::Error {
    let text = error.description();
    if error.has_backtrace() {
        caller.data_mut().frames = frames(&WasmBacktrace::capture(&*caller));
    }
    caller.data_mut().error = Some(error);
    wasmtime::Error::msg(text)
}

fn counter_value(counter: Global, caller: &mut Caller<'_, Host>) -> Result<i64, ExecutionError> {
    match counter.get(&mut *caller) {
        Val::I64(value) => Ok(value),
        _ => Err(missing_counter()),
    }
}

fn missing_counter() -> ExecutionError {
    ExecutionError::WasmEngine {
        message: "Unexpected WasmEngineError: the instruction counter is missing".to_string(),
    }
}

fn adjust_counter(
    caller: &mut Caller<'_, Host>,
    adjust: impl FnOnce(&mut Host, i64) -> Result<i64, ExecutionError>,
) -> Result<(), ExecutionError> {
    let counter = caller.data().counter.ok_or_else(missing_counter)?;
    let value = counter_value(counter, caller)?;
    let next = adjust(caller.data_mut(), value)?;
    counter
        .set(&mut *caller, Val::I64(next))
        .map_err(|_| missing_counter())
}

/// Charges instructions for a system call.
pub(crate) fn charge(
    caller: &mut Caller<'_, Host>,
    instructions: u64,
) -> Result<(), ExecutionError> {
    let mut failed = None;
    adjust_counter(caller, |host, mut value| {
        if value < 0 {
            value = host.next_slice(value)?;
        }
        let value = value.saturating_sub(i64::try_from(instructions).unwrap_or(i64::MAX));
        if value >= 0 {
            return Ok(value);
        }
        // The counter keeps the overrun when the budget is exhausted: it tells what was used.
        host.next_slice(value).or_else(|error| {
            failed = Some(error);
            Ok(value)
        })
    })?;
    failed.map_or(Ok(()), Err)
}

/// Called by the code when its counter is below zero.
pub(crate) fn out_of_instructions(caller: &mut Caller<'_, Host>) -> Result<(), ExecutionError> {
    adjust_counter(caller, Host::next_slice)
}

/// Instructions this message has used so far.
pub(crate) fn instructions_used(caller: &mut Caller<'_, Host>) -> Result<u64, ExecutionError> {
    let counter = caller.data().counter.ok_or_else(missing_counter)?;
    let value = counter_value(counter, caller)?;
    Ok(caller.data().slices.used(value))
}

/// Runs a system call that needs no heap.
pub(crate) fn call<T>(
    caller: &mut Caller<'_, Host>,
    instructions: u64,
    body: impl FnOnce(&mut Host) -> Result<T, ExecutionError>,
) -> wasmtime::Result<T> {
    charge(caller, instructions)
        .and_then(|()| body(caller.data_mut()))
        .map_err(|error| fail(caller, error))
}

/// Runs a system call that reads or writes the heap.
pub(crate) fn call_with_heap<T>(
    caller: &mut Caller<'_, Host>,
    instructions: u64,
    body: impl FnOnce(&mut Host, &mut [u8]) -> Result<T, ExecutionError>,
) -> wasmtime::Result<T> {
    charge(caller, instructions)
        .and_then(|()| with_heap(caller, body))
        .map_err(|error| fail(caller, error))
}

/// Gives host and heap to `body`.
pub(crate) fn with_heap<T>(
    caller: &mut Caller<'_, Host>,
    body: impl FnOnce(&mut Host, &mut [u8]) -> Result<T, ExecutionError>,
) -> Result<T, ExecutionError> {
    let memory = caller
        .data()
        .memory
        .ok_or_else(|| toolchain("WebAssembly module must define memory"))?;
    let (heap, host) = memory.data_and_store_mut(&mut *caller);
    body(host, heap)
}

/// A contract violation to be blamed on a toolchain.
pub(crate) fn toolchain(error: impl Into<String>) -> ExecutionError {
    ExecutionError::ToolchainContractViolation {
        error: error.into(),
    }
}

/// A contract violation without advice.
pub(crate) fn violation(error: impl Into<String>) -> ExecutionError {
    ExecutionError::UserContractViolation {
        error: error.into(),
        suggestion: String::new(),
        anchor: "",
    }
}

/// A part of a byte string; `what` names it in the error.
pub(crate) fn slice<'a>(
    what: &str,
    start: usize,
    length: usize,
    bytes: &'a [u8],
) -> Result<&'a [u8], ExecutionError> {
    match start.checked_add(length) {
        None => Err(toolchain(format!(
            "{what}: src={start} + length={length} is an invalid address"
        ))),
        Some(end) => bytes.get(start..end).ok_or_else(|| {
            toolchain(format!(
                "{what}: src={start} + length={length} exceeds the slice size={}",
                bytes.len()
            ))
        }),
    }
}

/// Copies `size` bytes of `source` from `offset` on to the heap; `what` names heap and source.
pub(crate) fn copy_to_heap(
    heap: &mut [u8],
    (dst, offset, size): (usize, usize, usize),
    what: (&str, &str),
    source: &[u8],
) -> Result<(), ExecutionError> {
    slice(what.0, dst, size, heap)?;
    let bytes = slice(what.1, offset, size, source)?;
    heap[dst..dst + size].copy_from_slice(bytes);
    Ok(())
}

/// Writes an amount of cycles to the heap, 16 bytes, least first.
pub(crate) fn cycles_to_heap(
    heap: &mut [u8],
    dst: usize,
    cycles: u128,
    function: &str,
) -> Result<(), ExecutionError> {
    let bytes = cycles.to_le_bytes();
    let size = bytes.len();
    let length = heap.len();
    let target = dst
        .checked_add(size)
        .and_then(|end| heap.get_mut(dst..end))
        .ok_or_else(|| {
            toolchain(format!(
                "{function} failed because dst + size is out of bounds. Found dst = {dst} and \
                 size = {size} while must be <= {length}"
            ))
        })?;
    target.copy_from_slice(&bytes);
    Ok(())
}

/// An amount of cycles for the 64-bit functions.
pub(crate) fn cycles_64(cycles: u128) -> Result<u64, ExecutionError> {
    u64::try_from(cycles).map_err(|_| ExecutionError::trap(TrapCode::CyclesAmountTooBigFor64Bit))
}

/// An amount of cycles from its two halves.
pub(crate) fn cycles(high: u64, low: u64) -> u128 {
    (u128::from(high) << 64) | u128::from(low)
}

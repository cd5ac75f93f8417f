//! Stable memory functions, and the rules for growing memories.

use super::Pointer;
use super::host::{Host, charge, fail, with_heap};
use crate::error::{ExecutionError, TrapCode};
use crate::relaxed::Stable32;
use crate::stable::{STABLE_MAX_PAGES, STABLE_PAGE_BYTES, StableMemory};
use wasmtime::{Caller, Linker};

const GROW_COST: u64 = 100;
const ACCESS_COST: u64 = 20;
/// Instructions for each page (4 KiB) a message writes for the first time.
const DIRTY_PAGE_COST: u64 = 1_000;
/// Greatest size the 32-bit functions can handle: 4 GiB.
const MAX_PAGES_32_BIT: u64 = 1 << 16;

/// Which functions are used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Api {
    Bits32,
    Bits64,
}

/// One access: stable memory at `offset`, heap at `heap`.
#[derive(Clone, Copy)]
struct Access {
    api: Api,
    offset: u64,
    heap: u64,
    length: u64,
}

impl Access {
    fn pages(&self) -> std::ops::Range<u64> {
        self.offset / STABLE_PAGE_BYTES..(self.offset + self.length).div_ceil(STABLE_PAGE_BYTES)
    }

    fn heap_range(&self, heap: &[u8]) -> Result<std::ops::Range<usize>, ExecutionError> {
        match self.heap.checked_add(self.length) {
            Some(end) if end <= heap.len() as u64 => Ok(self.heap as usize..end as usize),
            _ => Err(ExecutionError::trap(TrapCode::HeapOutOfBounds)),
        }
    }
}

impl Host {
    fn check_api(&mut self, api: Api) -> Result<(), ExecutionError> {
        if api == Api::Bits32 && self.stable.size_pages() > MAX_PAGES_32_BIT {
            return self.reach_32_bit();
        }
        Ok(())
    }

    /// The 32-bit functions cannot handle stable memory: the end, unless a rule is relaxed.
    fn reach_32_bit(&mut self) -> Result<(), ExecutionError> {
        let relaxed = self.relaxed.as_mut();
        let Some(running) = relaxed.filter(|it| it.rules.stable_32_bit != Stable32::Traps) else {
            return Err(ExecutionError::trap(TrapCode::StableMemoryTooBigFor32Bit));
        };
        running.used.stable_32_bit_calls += 1;
        match running.rules.stable_32_bit {
            Stable32::Traps | Stable32::Low => {}
            Stable32::Fresh => self.stable = StableMemory::new(),
            Stable32::Separate => {
                running.used.separate.get_or_insert_default();
            }
        }
        Ok(())
    }

    /// The memory that functions of `api` reach.
    fn reached(&mut self, api: Api) -> &mut StableMemory {
        let separate = self
            .relaxed
            .as_mut()
            .and_then(|it| it.used.separate.as_mut());
        match (api, separate) {
            (Api::Bits32, Some(separate)) => separate,
            _ => &mut self.stable,
        }
    }

    fn stable_size(&mut self, api: Api) -> Result<u64, ExecutionError> {
        self.check_api(api)?;
        let pages = self.reached(api).size_pages();
        Ok(match api {
            Api::Bits32 => pages.min(MAX_PAGES_32_BIT),
            Api::Bits64 => pages,
        })
    }

    /// Size before growing, or `None` when it cannot grow.
    fn stable_grow(&mut self, api: Api, pages: u64) -> Result<Option<u64>, ExecutionError> {
        self.check_api(api)?;
        let size = self.reached(api).size_pages().saturating_add(pages);
        if (api == Api::Bits32 && size > MAX_PAGES_32_BIT) || size > STABLE_MAX_PAGES {
            return Ok(None);
        }
        if !self.allocate(pages) {
            return Ok(None);
        }
        Ok(self.reached(api).grow(pages).ok())
    }

    /// Takes pages (64 KiB) from what the subnet has left, where the growth lasts.
    fn allocate(&mut self, pages: u64) -> bool {
        if !self.context.keeps_memory() {
            return true;
        }
        let left = &mut self.env.subnet_available_memory_bytes;
        let bytes = pages.saturating_mul(crate::WASM_PAGE_BYTES);
        match left.checked_sub(bytes) {
            Some(rest) => {
                *left = rest;
                true
            }
            None => false,
        }
    }

    fn check_stable_bounds(&mut self, access: &Access) -> Result<(), ExecutionError> {
        self.check_api(access.api)?;
        let out_of_bounds = ExecutionError::trap(TrapCode::StableMemoryOutOfBounds);
        let Some(end) = access.offset.checked_add(access.length) else {
            return Err(out_of_bounds);
        };
        let reached = self.reached(access.api);
        if end <= reached.size_bytes() {
            return Ok(());
        }
        let missing = end.div_ceil(crate::WASM_PAGE_BYTES) - reached.size_pages();
        if !self.limits.stable_grows_on_demand || self.reached(access.api).grow(missing).is_err() {
            return Err(out_of_bounds);
        }
        if let Some(running) = &mut self.relaxed {
            running.used.stable_pages_grown += missing;
        }
        Ok(())
    }

    fn check_accessed(&self, new_pages: u64) -> Result<(), ExecutionError> {
        let pages = self.touched.accessed_count() + new_pages;
        if pages.saturating_mul(STABLE_PAGE_BYTES) <= self.limits.stable_access_max_bytes {
            return Ok(());
        }
        Err(ExecutionError::MemoryAccessLimitExceeded {
            message: "Exceeded the limit for the number of accessed pages in the stable memory \
                      in a single message execution: limit 2097152 KB for regular messages and \
                      1048576 KB for queries."
                .to_string(),
        })
    }

    fn check_written(&self, new_pages: u64) -> Result<(), ExecutionError> {
        let pages = self.touched.written_count() + new_pages;
        if pages.saturating_mul(STABLE_PAGE_BYTES) <= self.limits.stable_access_max_bytes {
            return Ok(());
        }
        Err(ExecutionError::MemoryAccessLimitExceeded {
            message: "Exceeded the limit for the number of modified pages in the stable memory \
                      in a single execution: limit 2097152 KB for regular messages, 8388608 KB \
                      for upgrade messages and 1048576 KB for queries."
                .to_string(),
        })
    }
}

/// Notes the function in which a message fails: the replica runs the stable memory functions as
/// code of the module, so that they show in backtraces.
fn noted<T>(
    caller: &mut Caller<'_, Host>,
    function: &'static str,
    result: Result<T, ExecutionError>,
) -> wasmtime::Result<T> {
    result.map_err(|error| {
        caller.data_mut().innermost_frame = Some(function);
        fail(caller, error)
    })
}

/// Runs a function that only needs the host.
fn run<T>(
    caller: &mut Caller<'_, Host>,
    function: &'static str,
    instructions: u64,
    body: impl FnOnce(&mut Host) -> Result<T, ExecutionError>,
) -> wasmtime::Result<T> {
    let result = charge(caller, instructions).and_then(|()| body(caller.data_mut()));
    noted(caller, function, result)
}

fn check_heap_addresses(access: &Access, wasm64: bool) -> Result<(), ExecutionError> {
    let maximum = if wasm64 {
        crate::image::HEAP_MAX_BYTES
    } else {
        u32::MAX.into()
    };
    if access.heap > maximum || access.length > maximum {
        return Err(ExecutionError::trap(TrapCode::HeapOutOfBounds));
    }
    Ok(())
}

fn read(caller: &mut Caller<'_, Host>, access: Access) -> Result<(), ExecutionError> {
    charge(caller, access.length.saturating_add(ACCESS_COST))?;
    // An access of no bytes never fails, wherever it is.
    if access.length == 0 {
        return Ok(());
    }
    let host = caller.data_mut();
    host.check_stable_bounds(&access)?;
    check_heap_addresses(&access, host.wasm64)?;
    let (new_accessed, _) = host.touched.untouched(access.pages());
    host.check_accessed(new_accessed)?;
    host.touched.read(access.pages());
    with_heap(caller, |host, heap| {
        let range = access.heap_range(heap)?;
        host.reached(access.api)
            .read(access.offset, &mut heap[range])
            .map_err(|_| ExecutionError::trap(TrapCode::StableMemoryOutOfBounds))
    })
}

fn write(caller: &mut Caller<'_, Host>, access: Access) -> Result<(), ExecutionError> {
    charge(caller, access.length.saturating_add(ACCESS_COST))?;
    if access.length == 0 {
        return Ok(());
    }
    let host = caller.data_mut();
    host.check_stable_bounds(&access)?;
    check_heap_addresses(&access, host.wasm64)?;
    let (new_accessed, new_written) = host.touched.untouched(access.pages());
    host.check_accessed(new_accessed)?;
    host.check_written(new_written)?;
    charge(caller, new_written * DIRTY_PAGE_COST)?;
    caller.data_mut().touched.write(access.pages());
    with_heap(caller, |host, heap| {
        let range = access.heap_range(heap)?;
        host.reached(access.api)
            .write(access.offset, &heap[range])
            .map_err(|_| ExecutionError::trap(TrapCode::StableMemoryOutOfBounds))
    })
}

/// Called after `memory.grow` with its result and argument; an error ends the message.
pub(super) fn heap_grew(
    host: &mut Host,
    before: usize,
    pages: usize,
    wasm64: bool,
) -> Result<(), ExecutionError> {
    let failed = if wasm64 {
        usize::MAX
    } else {
        u32::MAX as usize
    };
    if before == failed {
        if let Some(running) = &mut host.relaxed {
            running.used.heap_growths_refused += 1;
        }
        return Ok(());
    }
    let bytes = (before as u64 + pages as u64) * crate::WASM_PAGE_BYTES;
    if host.context.obeys_wasm_memory_limit()
        && let Some(limit) = host.env.wasm_memory_limit
        && limit != 0
        && bytes > limit
    {
        return Err(ExecutionError::WasmMemoryLimitExceeded { bytes, limit });
    }
    if host.allocate(pages as u64) {
        Ok(())
    } else {
        Err(ExecutionError::OutOfMemory)
    }
}

pub(super) fn link<P: Pointer>(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap("ic0", "stable64_size", |mut caller: Caller<'_, Host>| {
        run(&mut caller, "stable64_size", 0, |host| {
            host.stable_size(Api::Bits64)
        })
    })?;
    linker.func_wrap(
        "ic0",
        "stable64_grow",
        |mut caller: Caller<'_, Host>, pages: u64| {
            run(&mut caller, "stable64_grow", GROW_COST, |host| {
                Ok(host.stable_grow(Api::Bits64, pages)?.unwrap_or(u64::MAX))
            })
        },
    )?;
    linker.func_wrap(
        "ic0",
        "stable64_read",
        |mut caller: Caller<'_, Host>, heap: u64, offset: u64, length: u64| {
            let api = Api::Bits64;
            let access = Access {
                api,
                offset,
                heap,
                length,
            };
            let result = read(&mut caller, access);
            noted(&mut caller, "stable64_read", result)
        },
    )?;
    linker.func_wrap(
        "ic0",
        "stable64_write",
        |mut caller: Caller<'_, Host>, offset: u64, heap: u64, length: u64| {
            let api = Api::Bits64;
            let access = Access {
                api,
                offset,
                heap,
                length,
            };
            let result = write(&mut caller, access);
            noted(&mut caller, "stable64_write", result)
        },
    )?;
    if !P::WASM64 {
        link_32_bit(linker)?;
    }
    Ok(())
}

fn link_32_bit(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    fn access(offset: u32, heap: u32, length: u32) -> Access {
        Access {
            api: Api::Bits32,
            offset: offset.into(),
            heap: heap.into(),
            length: length.into(),
        }
    }
    linker.func_wrap("ic0", "stable_size", |mut caller: Caller<'_, Host>| {
        run(&mut caller, "stable_size", 0, |host| {
            Ok(host.stable_size(Api::Bits32)? as u32)
        })
    })?;
    linker.func_wrap(
        "ic0",
        "stable_grow",
        |mut caller: Caller<'_, Host>, pages: u32| {
            run(&mut caller, "stable_grow", GROW_COST, |host| {
                let before = host.stable_grow(Api::Bits32, pages.into())?;
                Ok(before.map_or(u32::MAX, |pages| pages as u32))
            })
        },
    )?;
    linker.func_wrap(
        "ic0",
        "stable_read",
        |mut caller: Caller<'_, Host>, heap: u32, offset: u32, length: u32| {
            let result = read(&mut caller, access(offset, heap, length));
            noted(&mut caller, "stable_read", result)
        },
    )?;
    linker.func_wrap(
        "ic0",
        "stable_write",
        |mut caller: Caller<'_, Host>, offset: u32, heap: u32, length: u32| {
            let result = write(&mut caller, access(offset, heap, length));
            noted(&mut caller, "stable_write", result)
        },
    )?;
    Ok(())
}

//! A built module on a bare WebAssembly engine, with the twelve system calls over two vectors: fast enough for millions of messages.
//!
//! Nothing is metered and nothing rolls back by itself; [`Machine::hold`] gives it the memories of
//! the next message. The code is that of the built module, byte by byte; only its memory gets an
//! export, so that the test can look at it.

use std::path::{Path, PathBuf};
use wasm_encoder::{ExportKind, ExportSection, Module as NewModule, RawSection};
use wasmparser::{Parser, Payload};
use wasmtime::{
    Caller, Config, Engine, Error, Instance, InstancePre, Linker, Memory, Module, ResourceLimiter,
    Result, Store, WasmTy,
};
use wire::limits::PAGE_LEN_BYTES;

const PAGE: usize = PAGE_LEN_BYTES as usize;

/// All modules that read; the uploader reads with the downloader's code.
pub const READERS: [&str; 4] = ["downloader", "uploader", "downloader64", "uploader64"];
/// All modules that write.
pub const WRITERS: [&str; 2] = ["uploader", "uploader64"];

/// Who controls every canister here.
pub const CONTROLLER: [u8; 29] = [7; 29];

/// What a message can see and touch besides the heap.
#[derive(Default)]
struct Host {
    memory: Option<Memory>,
    arg: Vec<u8>,
    caller: Vec<u8>,
    stable: Vec<u8>,
    /// Whether a call that changes stable memory was made.
    stable_touched: bool,
    /// Pages by which the memories may still grow, together.
    room_pages: usize,
    reply: Vec<u8>,
    replied: bool,
    refusal: Option<String>,
}

impl ResourceLimiter for Host {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(self.take_room((desired - current) / PAGE))
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool> {
        Ok(false)
    }
}

impl Host {
    fn take_room(&mut self, pages: usize) -> bool {
        let left = self.room_pages.checked_sub(pages);
        self.room_pages = left.unwrap_or(self.room_pages);
        left.is_some()
    }
}

/// A module over memories that a test chooses.
pub struct Machine {
    code: InstancePre<Host>,
    running: Running,
}

struct Running {
    store: Store<Host>,
    instance: Instance,
    memory: Memory,
}

impl Running {
    fn new(code: &InstancePre<Host>) -> Self {
        let mut store = Store::new(code.module().engine(), Host::default());
        store.limiter(|host| host);
        let instance = code.instantiate(&mut store).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        store.data_mut().memory = Some(memory);
        Self {
            store,
            instance,
            memory,
        }
    }
}

impl Machine {
    /// A built module.
    pub fn load(name: &str) -> Self {
        let mut config = Config::new();
        config.wasm_simd(true).wasm_memory64(true);
        let engine = Engine::new(&config).unwrap();
        let module = Module::new(&engine, with_memory_exported(&module_bytes(name))).unwrap();
        let mut linker = Linker::new(&engine);
        if name.ends_with("64") {
            link::<i64>(&mut linker).unwrap();
        } else {
            link::<i32>(&mut linker).unwrap();
        }
        let code = linker.instantiate_pre(&module).unwrap();
        let running = Running::new(&code);
        Self { code, running }
    }

    /// Gives it the memories of the next message, and so many pages to grow by.
    pub fn hold(&mut self, heap: &[u8], stable: &[u8], room_pages: usize) {
        if self.heap().len() > heap.len() {
            self.running = Running::new(&self.code);
        }
        let Running { store, memory, .. } = &mut self.running;
        let missing = heap.len() - memory.data_size(&*store);
        store.data_mut().room_pages = missing / PAGE;
        memory.grow(&mut *store, (missing / PAGE) as u64).unwrap();
        memory.data_mut(&mut *store).copy_from_slice(heap);
        let host = store.data_mut();
        host.stable.clear();
        host.stable.extend_from_slice(stable);
        host.stable_touched = false;
        host.room_pages = room_pages;
    }

    /// Sends a message to an export: the reply, or the text of the refusal.
    pub fn send(&mut self, export: &str, caller: &[u8], arg: &[u8]) -> Result<Vec<u8>, String> {
        let Running {
            store, instance, ..
        } = &mut self.running;
        let host = store.data_mut();
        host.arg.clear();
        host.arg.extend_from_slice(arg);
        host.caller = caller.to_vec();
        host.reply.clear();
        host.replied = false;
        host.refusal = None;
        let method = instance.get_typed_func::<(), ()>(&mut *store, export);
        let outcome = method.unwrap().call(&mut *store, ());
        let host = store.data_mut();
        match (outcome, host.refusal.take()) {
            (Err(_), Some(text)) => Err(text),
            (Err(error), None) => Err(format!("{error:#}")),
            (Ok(()), _) if host.replied => Ok(std::mem::take(&mut host.reply)),
            (Ok(()), _) => Err("no reply".to_string()),
        }
    }

    /// The heap, as the last message left it.
    pub fn heap(&self) -> &[u8] {
        self.running.memory.data(&self.running.store)
    }

    /// Stable memory, as the last message left it.
    pub fn stable(&self) -> &[u8] {
        &self.running.store.data().stable
    }

    /// Whether a call that changes stable memory was made since [`Machine::hold`].
    pub fn stable_touched(&self) -> bool {
        self.running.store.data().stable_touched
    }
}

/// The bytes of a built module.
fn module_bytes(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("IC_RESCUE_WASM_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/wasm"),
        PathBuf::from,
    );
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask wasm` first", path.display()))
}

fn with_memory_exported(wasm: &[u8]) -> Vec<u8> {
    let mut module = NewModule::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.unwrap();
        if let Payload::ExportSection(section) = payload {
            let mut exports = ExportSection::new();
            for export in section {
                let export = export.unwrap();
                exports.export(export.name, ExportKind::Func, export.index);
            }
            exports.export("memory", ExportKind::Memory, 0);
            module.section(&exports);
        } else if let Some((id, range)) = payload.as_section() {
            let data = &wasm[range];
            module.section(&RawSection { id, data });
        }
    }
    module.finish()
}

/// A number that addresses the heap: as wide as the module's addresses.
trait Address: WasmTy + Copy {
    fn place(self) -> usize;
    fn size(len_bytes: usize) -> Self;
}

impl Address for i32 {
    fn place(self) -> usize {
        self as u32 as usize
    }
    fn size(len_bytes: usize) -> Self {
        len_bytes as i32
    }
}

impl Address for i64 {
    fn place(self) -> usize {
        self as usize
    }
    fn size(len_bytes: usize) -> Self {
        len_bytes as i64
    }
}

/// Part of a memory; the error is what the system would trap with.
fn part(memory: &[u8], at: usize, length: usize) -> Result<&[u8]> {
    let end = at.checked_add(length);
    end.and_then(|end| memory.get(at..end))
        .ok_or_else(|| Error::msg("out of range"))
}

fn heap_and_host<'a>(caller: &'a mut Caller<'_, Host>) -> Result<(&'a mut [u8], &'a mut Host)> {
    let memory = caller.data().memory.ok_or_else(|| Error::msg("no heap"))?;
    Ok(memory.data_and_store_mut(caller))
}

/// Copies a part of `from` into the heap.
fn put(heap: &mut [u8], to: usize, from: &[u8], offset: usize, length: usize) -> Result<()> {
    part(heap, to, length)?;
    heap[to..to + length].copy_from_slice(part(from, offset, length)?);
    Ok(())
}

/// The system calls, as the interface specification has them.
fn link<A: Address>(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("ic0", "msg_arg_data_size", |caller: Caller<'_, Host>| {
        A::size(caller.data().arg.len())
    })?;
    linker.func_wrap("ic0", "msg_caller_size", |caller: Caller<'_, Host>| {
        A::size(caller.data().caller.len())
    })?;
    linker.func_wrap(
        "ic0",
        "msg_arg_data_copy",
        |mut caller: Caller<'_, Host>, to: A, offset: A, size: A| {
            let (heap, host) = heap_and_host(&mut caller)?;
            put(heap, to.place(), &host.arg, offset.place(), size.place())
        },
    )?;
    linker.func_wrap(
        "ic0",
        "msg_caller_copy",
        |mut caller: Caller<'_, Host>, to: A, offset: A, size: A| {
            let (heap, host) = heap_and_host(&mut caller)?;
            put(heap, to.place(), &host.caller, offset.place(), size.place())
        },
    )?;
    linker.func_wrap(
        "ic0",
        "is_controller",
        |mut caller: Caller<'_, Host>, from: A, size: A| {
            let (heap, _) = heap_and_host(&mut caller)?;
            Ok(i32::from(
                part(heap, from.place(), size.place())? == CONTROLLER,
            ))
        },
    )?;
    linker.func_wrap(
        "ic0",
        "msg_reply_data_append",
        |mut caller: Caller<'_, Host>, from: A, size: A| {
            let (heap, host) = heap_and_host(&mut caller)?;
            host.reply
                .extend_from_slice(part(heap, from.place(), size.place())?);
            Ok(())
        },
    )?;
    linker.func_wrap("ic0", "msg_reply", |mut caller: Caller<'_, Host>| {
        let host = caller.data_mut();
        if host.replied {
            return Err(Error::msg("replied twice"));
        }
        host.replied = true;
        Ok(())
    })?;
    linker.func_wrap(
        "ic0",
        "trap",
        |mut caller: Caller<'_, Host>, from: A, size: A| -> Result<()> {
            let (heap, host) = heap_and_host(&mut caller)?;
            let text = part(heap, from.place(), size.place())?;
            host.refusal = Some(String::from_utf8_lossy(text).into_owned());
            Err(Error::msg("the canister trapped"))
        },
    )?;
    link_stable(linker)
}

/// The system calls about stable memory, whose numbers are 64 bits wide in every module.
fn link_stable(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("ic0", "stable64_size", |caller: Caller<'_, Host>| {
        (caller.data().stable.len() / PAGE) as i64
    })?;
    linker.func_wrap(
        "ic0",
        "stable64_grow",
        |mut caller: Caller<'_, Host>, pages: i64| {
            let host = caller.data_mut();
            host.stable_touched = true;
            let old_pages = host.stable.len() / PAGE;
            if !host.take_room(pages as usize) {
                return -1;
            }
            host.stable.resize((old_pages + pages as usize) * PAGE, 0);
            old_pages as i64
        },
    )?;
    linker.func_wrap(
        "ic0",
        "stable64_read",
        |mut caller: Caller<'_, Host>, to: i64, offset: i64, size: i64| {
            let (heap, host) = heap_and_host(&mut caller)?;
            put(heap, to.place(), &host.stable, offset.place(), size.place())
        },
    )?;
    linker.func_wrap(
        "ic0",
        "stable64_write",
        |mut caller: Caller<'_, Host>, offset: i64, from: i64, size: i64| {
            let (heap, host) = heap_and_host(&mut caller)?;
            host.stable_touched = true;
            put(
                &mut host.stable,
                offset.place(),
                heap,
                from.place(),
                size.place(),
            )
        },
    )?;
    Ok(())
}

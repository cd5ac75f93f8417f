//! Functions about the message at hand: argument, caller, reply, reject, inspection.

use super::context::{
    ANSWERS, HAS_ARGUMENT, HAS_DEADLINE, INSPECTS, NOT_START, REJECTS, RESPONSES,
};
use super::host::{Host, call, call_with_heap, copy_to_heap, slice, toolchain};
use super::{FUNCTION_COST, Pointer, with_bytes, with_transmission};
use crate::entry::Entry;
use crate::error::ExecutionError;
use crate::outcome::Response;
use wasmtime::{Caller, Linker};

impl Host {
    fn argument(&self, function: &str) -> Result<&[u8], ExecutionError> {
        self.context.require(HAS_ARGUMENT, function)?;
        Ok(match &self.entry {
            Entry::Init { arg }
            | Entry::PostUpgrade { arg }
            | Entry::Update { arg, .. }
            | Entry::Query { arg, .. }
            | Entry::CompositeQuery { arg, .. }
            | Entry::InspectMessage { arg, .. } => arg,
            Entry::Reply { data, .. } => data,
            _ => &[],
        })
    }

    fn caller(&self, function: &str) -> Result<&[u8], ExecutionError> {
        self.context.require(NOT_START, function)?;
        Ok(self.env.caller.as_slice())
    }

    fn method_name(&self, function: &str) -> Result<&[u8], ExecutionError> {
        match &self.entry {
            Entry::InspectMessage { method, .. } => Ok(method.as_bytes()),
            _ => Err(self.context.violation(function)),
        }
    }

    fn reject_code(&self) -> Result<u32, ExecutionError> {
        self.context.require(RESPONSES, "ic0_msg_reject_code")?;
        match &self.entry {
            Entry::Reject { code, .. } => Ok(*code),
            _ => Ok(0),
        }
    }

    fn reject_message(&self, function: &str) -> Result<&[u8], ExecutionError> {
        self.context.require(REJECTS, function)?;
        match &self.entry {
            Entry::Reject { message, .. } => Ok(message.as_bytes()),
            _ => Err(self.context.violation(function)),
        }
    }

    fn check_unanswered(&self, function: &str, complaint: &str) -> Result<(), ExecutionError> {
        self.context.require(ANSWERS, function)?;
        if self.env.already_responded || self.effects.response.is_some() {
            return Err(toolchain(complaint));
        }
        Ok(())
    }

    fn check_answer_length(
        &self,
        function: &str,
        length: usize,
        suggestion: &str,
        anchor: &'static str,
    ) -> Result<(), ExecutionError> {
        let limit = self.limits.reply_max_bytes;
        if length as u64 > limit {
            return Err(ExecutionError::UserContractViolation {
                error: format!(
                    "{function}: application payload size ({length}) cannot be larger than \
                     {limit}."
                ),
                suggestion: suggestion.to_string(),
                anchor,
            });
        }
        Ok(())
    }

    fn append_reply(&mut self, heap: &[u8], src: usize, size: usize) -> Result<(), ExecutionError> {
        self.check_unanswered(
            "ic0_msg_reply_data_append",
            "ic0.msg_reply_data_append: the call is already replied.",
        )?;
        self.check_answer_length(
            "ic0.msg_reply_data_append",
            self.reply_data.len().saturating_add(size),
            "Consider checking the response size and returning an error if it is too long.",
            "msg_reply_data_append-payload-too-large",
        )?;
        self.reply_data
            .extend_from_slice(slice("msg.reply", src, size, heap)?);
        Ok(())
    }

    fn reply(&mut self) -> Result<(), ExecutionError> {
        self.check_unanswered(
            "ic0_msg_reply",
            "ic0.msg_reply: the call is already replied",
        )?;
        let data = std::mem::take(&mut self.reply_data);
        self.effects.response = Some(Response::Reply(data));
        Ok(())
    }

    fn reject(&mut self, heap: &[u8], src: usize, size: usize) -> Result<(), ExecutionError> {
        self.check_unanswered(
            "ic0_msg_reject",
            "ic0.msg_reject: the call is already replied",
        )?;
        self.check_answer_length(
            "ic0.msg_reject",
            size,
            "Try truncating the error messages that are too long.",
            "msg_reject-payload-too-large",
        )?;
        let bytes = slice("ic0.msg_reject", src, size, heap)?;
        let text = String::from_utf8(bytes.to_vec())
            .map_err(|_| toolchain("ic0.msg_reject: invalid UTF-8 string provided"))?;
        self.effects.response = Some(Response::Reject(text));
        Ok(())
    }

    fn accept(&mut self) -> Result<(), ExecutionError> {
        self.context.require(INSPECTS, "ic0_accept_message")?;
        if self.effects.message_accepted {
            return Err(toolchain(
                "ic0.accept_message: the function was already called.",
            ));
        }
        self.effects.message_accepted = true;
        Ok(())
    }
}

type Bytes = fn(&Host) -> Result<&[u8], ExecutionError>;

/// Defines a pair of functions that give the size of a byte string and copy it.
pub(super) fn link_bytes<P: Pointer>(
    linker: &mut Linker<Host>,
    (size_name, size): (&str, Bytes),
    (copy_name, copy): (&str, Bytes),
    what: (&'static str, &'static str),
) -> wasmtime::Result<()> {
    linker.func_wrap("ic0", size_name, move |mut caller: Caller<'_, Host>| {
        call(&mut caller, FUNCTION_COST, |host| Ok(size(host)?.len())).map(P::from_usize)
    })?;
    linker.func_wrap(
        "ic0",
        copy_name,
        move |mut caller: Caller<'_, Host>, dst: P, offset: P, size: P| {
            let range = (dst.to_usize(), offset.to_usize(), size.to_usize());
            let cost = with_bytes(FUNCTION_COST, range.2);
            call_with_heap(&mut caller, cost, |host, heap| {
                copy_to_heap(heap, range, what, copy(host)?)
            })
        },
    )?;
    Ok(())
}

pub(super) fn link<P: Pointer>(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    link_bytes::<P>(
        linker,
        ("msg_arg_data_size", |host| {
            host.argument("ic0_msg_arg_data_size")
        }),
        ("msg_arg_data_copy", |host| {
            host.argument("ic0_msg_arg_data_copy")
        }),
        (
            "ic0.msg_arg_data_copy heap",
            "ic0.msg_arg_data_copy payload",
        ),
    )?;
    link_bytes::<P>(
        linker,
        ("msg_caller_size", |host| host.caller("ic0_msg_caller_size")),
        ("msg_caller_copy", |host| host.caller("ic0_msg_caller_copy")),
        ("ic0.msg_caller_copy heap", "ic0.msg_caller_copy id"),
    )?;
    link_bytes::<P>(
        linker,
        ("msg_method_name_size", |host| {
            host.method_name("ic0_msg_method_name_size")
        }),
        ("msg_method_name_copy", |host| {
            host.method_name("ic0_msg_method_name_copy")
        }),
        (
            "ic0.msg_method_name_copy heap",
            "ic0.msg_method_name_copy payload",
        ),
    )?;
    link_bytes::<P>(
        linker,
        ("msg_reject_msg_size", |host| {
            host.reject_message("ic0_msg_reject_msg_size")
        }),
        ("msg_reject_msg_copy", |host| {
            host.reject_message("ic0_msg_reject_msg_copy")
        }),
        (
            "ic0.msg_reject_msg_copy heap",
            "ic0.msg_reject_msg_copy msg",
        ),
    )?;
    linker.func_wrap("ic0", "msg_reject_code", |mut caller: Caller<'_, Host>| {
        call(&mut caller, FUNCTION_COST, |host| host.reject_code())
    })?;
    linker.func_wrap("ic0", "msg_deadline", |mut caller: Caller<'_, Host>| {
        call(&mut caller, FUNCTION_COST, |host| {
            host.context.require(HAS_DEADLINE, "ic0_msg_deadline")?;
            Ok(host.env.deadline_ns)
        })
    })?;
    linker.func_wrap(
        "ic0",
        "msg_reply_data_append",
        |mut caller: Caller<'_, Host>, src: P, size: P| {
            let (src, size) = (src.to_usize(), size.to_usize());
            let cost = with_transmission(FUNCTION_COST, size);
            call_with_heap(&mut caller, cost, |host, heap| {
                host.append_reply(heap, src, size)
            })
        },
    )?;
    linker.func_wrap("ic0", "msg_reply", |mut caller: Caller<'_, Host>| {
        call(&mut caller, FUNCTION_COST, Host::reply)
    })?;
    linker.func_wrap(
        "ic0",
        "msg_reject",
        |mut caller: Caller<'_, Host>, src: P, size: P| {
            let (src, size) = (src.to_usize(), size.to_usize());
            let cost = with_transmission(FUNCTION_COST, size);
            call_with_heap(&mut caller, cost, |host, heap| host.reject(heap, src, size))
        },
    )?;
    linker.func_wrap("ic0", "accept_message", |mut caller: Caller<'_, Host>| {
        call(&mut caller, FUNCTION_COST, Host::accept)
    })?;
    Ok(())
}

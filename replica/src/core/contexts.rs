//! Open calls: the contexts a canister still has to answer, and the callbacks it waits for.

use std::collections::BTreeMap;

use candid::Principal;
use engine::{Closure, ExecutionError, Response as Answer};

use super::message::{CallbackId, ContextId, Origin};

/// A call that a canister works on.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// Who waits.
    pub origin: Origin,
    /// Whether the answer is out.
    pub responded: bool,
    /// Whether the code that opened it was uninstalled.
    pub deleted: bool,
    /// Cycles that came with the call and were not accepted yet.
    pub cycles_available: u128,
    /// When it was opened, nanoseconds since the epoch.
    pub opened_at_ns: u64,
    /// Instructions of all messages of this context so far.
    pub instructions: u64,
}

/// A call that a canister has made.
#[derive(Clone, Debug)]
pub struct Callback {
    /// The context it belongs to.
    pub context: ContextId,
    /// Who was called.
    pub respondent: Principal,
    /// Cycles attached.
    pub cycles_sent: u128,
    /// Set aside for executing the callback.
    pub execution_prepayment: u128,
    /// Set aside for the longest possible response.
    pub transmission_prepayment: u128,
    /// Runs on a reply.
    pub reply: Closure,
    /// Runs on a reject.
    pub reject: Closure,
    /// Runs when the other one failed.
    pub cleanup: Option<Closure>,
    /// Deadline of a best-effort call, nanoseconds since the epoch; 0 for none.
    pub deadline_ns: u64,
}

/// What the end of a message means for its caller.
#[derive(Clone, Debug)]
pub enum Action {
    /// Answer with these bytes.
    Reply(Vec<u8>, u128),
    /// Answer with this reject.
    Reject(String, u128),
    /// The call ended without an answer.
    NoResponse(u128),
    /// The call failed.
    Fail(ExecutionError, u128),
    /// Still open.
    NotYet,
    /// Answered before.
    Already,
}

/// All open calls of a canister.
#[derive(Clone, Debug, Default)]
pub struct CallContexts {
    next_context: ContextId,
    next_callback: CallbackId,
    contexts: BTreeMap<ContextId, CallContext>,
    callbacks: BTreeMap<CallbackId, Callback>,
}

impl CallContexts {
    /// Opens a context.
    pub fn open(&mut self, origin: Origin, cycles: u128, now_ns: u64) -> ContextId {
        self.next_context += 1;
        self.contexts.insert(
            self.next_context,
            CallContext {
                origin,
                responded: false,
                deleted: false,
                cycles_available: cycles,
                opened_at_ns: now_ns,
                instructions: 0,
            },
        );
        self.next_context
    }

    /// Registers a callback.
    pub fn register(&mut self, callback: Callback) -> CallbackId {
        self.next_callback += 1;
        self.callbacks.insert(self.next_callback, callback);
        self.next_callback
    }

    /// The context of this id.
    pub fn context(&self, id: ContextId) -> Option<&CallContext> {
        self.contexts.get(&id)
    }

    /// The context of this id, to take cycles from.
    pub fn context_mut(&mut self, id: ContextId) -> Option<&mut CallContext> {
        self.contexts.get_mut(&id)
    }

    /// The callback of this id.
    pub fn callback(&self, id: CallbackId) -> Option<&Callback> {
        self.callbacks.get(&id)
    }

    /// All callbacks that are waited for.
    pub fn callbacks(&self) -> impl Iterator<Item = (&CallbackId, &Callback)> {
        self.callbacks.iter()
    }

    /// Notes that a callback's deadline has passed; `false` when that was known, or it is gone.
    pub fn mark_expired(&mut self, id: CallbackId) -> bool {
        match self.callbacks.get_mut(&id) {
            Some(callback) if callback.deadline_ns != 0 => {
                callback.deadline_ns = 0;
                true
            }
            _ => false,
        }
    }

    /// Whether nothing is open: what stopping waits for.
    pub fn is_idle(&self) -> bool {
        self.contexts.is_empty() && self.callbacks.is_empty()
    }

    /// Calls per callee whose answers have not come yet.
    pub fn open_requests(&self) -> BTreeMap<Principal, usize> {
        let mut counts = BTreeMap::new();
        for callback in self.callbacks.values() {
            *counts.entry(callback.respondent).or_default() += 1;
        }
        counts
    }

    /// Books the end of a message of a context, and of the callback it answered if any.
    pub fn finish(
        &mut self,
        id: ContextId,
        callback: Option<CallbackId>,
        result: Result<Option<Answer>, ExecutionError>,
        instructions: u64,
    ) -> Action {
        if let Some(callback) = callback {
            self.callbacks.remove(&callback);
        }
        let waits = self.callbacks.values().any(|open| open.context == id);
        let context = self
            .contexts
            .get_mut(&id)
            .expect("BUG: a message ends in a context that is open");
        context.instructions = context.instructions.saturating_add(instructions);
        let action = match result {
            Ok(Some(answer)) => {
                let refund = std::mem::take(&mut context.cycles_available);
                context.responded = true;
                match answer {
                    Answer::Reply(bytes) => Action::Reply(bytes, refund),
                    Answer::Reject(text) => Action::Reject(text, refund),
                }
            }
            _ if context.responded => Action::Already,
            _ if waits => Action::NotYet,
            Ok(None) => Action::NoResponse(context.cycles_available),
            Err(error) => Action::Fail(error, context.cycles_available),
        };
        if !waits {
            self.contexts.remove(&id);
        }
        action
    }

    /// Marks everything as deleted, as uninstalling code does, and returns the origins that were
    /// not answered with the cycles to give back.
    pub fn delete_all(&mut self) -> Vec<(Origin, u128)> {
        let mut unanswered = Vec::new();
        let waits: std::collections::BTreeSet<ContextId> =
            self.callbacks.values().map(|open| open.context).collect();
        for context in self.contexts.values_mut() {
            if !context.responded {
                unanswered.push((
                    context.origin.clone(),
                    std::mem::take(&mut context.cycles_available),
                ));
            }
            context.responded = true;
            context.deleted = true;
        }
        self.contexts.retain(|id, _| waits.contains(id));
        unanswered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callback(context: ContextId) -> Callback {
        let closure = Closure { fun: 0, env: 0 };
        Callback {
            context,
            respondent: Principal::anonymous(),
            cycles_sent: 0,
            execution_prepayment: 0,
            transmission_prepayment: 0,
            reply: closure,
            reject: closure,
            cleanup: None,
            deadline_ns: 0,
        }
    }

    #[test]
    fn a_message_without_answer_and_without_calls_ends_the_call() {
        let mut contexts = CallContexts::default();
        let id = contexts.open(Origin::System, 7, 0);
        assert!(matches!(
            contexts.finish(id, None, Ok(None), 1),
            Action::NoResponse(7)
        ));
        assert!(contexts.is_idle());
    }

    #[test]
    fn an_open_call_keeps_the_context_until_its_callback_ran() {
        let mut contexts = CallContexts::default();
        let id = contexts.open(Origin::System, 0, 0);
        let open = contexts.register(callback(id));
        assert!(matches!(
            contexts.finish(id, None, Ok(None), 1),
            Action::NotYet
        ));
        assert!(!contexts.is_idle());
        let answer = Ok(Some(Answer::Reply(vec![1])));
        assert!(matches!(
            contexts.finish(id, Some(open), answer, 1),
            Action::Reply(bytes, 0) if bytes == [1]
        ));
        assert!(contexts.is_idle());
    }

    #[test]
    fn deleting_answers_every_open_call_once() {
        let mut contexts = CallContexts::default();
        let answered = contexts.open(Origin::System, 0, 0);
        contexts.register(callback(answered));
        let answer = Ok(Some(Answer::Reply(Vec::new())));
        contexts.finish(answered, None, answer, 0);
        contexts.open(Origin::System, 5, 0);
        assert_eq!(contexts.delete_all(), [(Origin::System, 5)]);
        assert!(contexts.context(answered).unwrap().deleted);
    }
}

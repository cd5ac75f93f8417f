//! The input queues of a canister, or of a subnet's management canister.
//!
//! Messages from users, from canisters of the same subnet and from other subnets take turns, and
//! so do the senders within each group.

use std::collections::{BTreeMap, VecDeque};

use candid::Principal;

use super::message::{IngressMessage, Input};

/// Where a message came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A canister of the same subnet, or the subnet itself.
    Local,
    /// A user.
    Ingress,
    /// Another subnet.
    Remote,
}

impl Source {
    fn next(self) -> Self {
        match self {
            Source::Local => Source::Ingress,
            Source::Ingress => Source::Remote,
            Source::Remote => Source::Local,
        }
    }
}

/// One group of senders that take turns.
#[derive(Clone, Debug, Default)]
struct Turns {
    order: VecDeque<Principal>,
    queues: BTreeMap<Principal, VecDeque<Input>>,
}

impl Turns {
    fn push(&mut self, sender: Principal, input: Input) {
        let queue = self.queues.entry(sender).or_default();
        if queue.is_empty() {
            self.order.push_back(sender);
        }
        queue.push_back(input);
    }

    fn pop(&mut self) -> Option<Input> {
        let sender = self.order.pop_front()?;
        let queue = self.queues.get_mut(&sender)?;
        let input = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&sender);
        } else {
            self.order.push_back(sender);
        }
        input
    }
}

/// Messages that wait.
#[derive(Clone, Debug)]
pub struct Inputs {
    local: Turns,
    remote: Turns,
    ingress: VecDeque<IngressMessage>,
    next: Source,
}

impl Default for Inputs {
    fn default() -> Self {
        Inputs {
            local: Turns::default(),
            remote: Turns::default(),
            ingress: VecDeque::new(),
            next: Source::Local,
        }
    }
}

impl Inputs {
    /// Adds a message from a canister.
    pub fn push(&mut self, source: Source, sender: Principal, input: Input) {
        match source {
            Source::Remote => self.remote.push(sender, input),
            Source::Local | Source::Ingress => self.local.push(sender, input),
        }
    }

    /// Adds a message from a user.
    pub fn push_ingress(&mut self, message: IngressMessage) {
        self.ingress.push_back(message);
    }

    /// Whether anything waits.
    pub fn is_empty(&self) -> bool {
        self.local.order.is_empty() && self.remote.order.is_empty() && self.ingress.is_empty()
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        let count = |turns: &Turns| turns.queues.values().map(VecDeque::len).sum::<usize>();
        self.ingress.len() + count(&self.local) + count(&self.remote)
    }

    /// Takes the next message.
    pub fn pop(&mut self) -> Option<Input> {
        for _ in 0..3 {
            let source = self.next;
            self.next = source.next();
            let input = match source {
                Source::Local => self.local.pop(),
                Source::Remote => self.remote.pop(),
                Source::Ingress => self.ingress.pop_front().map(Input::Ingress),
            };
            if input.is_some() {
                return input;
            }
        }
        None
    }

    /// Takes out the users' messages that have expired at `now_ns`.
    pub fn take_expired(&mut self, now_ns: u64) -> Vec<IngressMessage> {
        let (kept, expired) = std::mem::take(&mut self.ingress)
            .into_iter()
            .partition(|message| message.expiry_ns >= now_ns);
        self.ingress = kept;
        Vec::from(expired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::{Payload, Response};

    fn answer(respondent: u8, callback: u64) -> Input {
        Input::Response(Response {
            originator: Principal::anonymous(),
            respondent: Principal::from_slice(&[respondent]),
            callback,
            refund: 0,
            payload: Payload::Reply(Vec::new()),
            deadline_ns: 0,
        })
    }

    #[test]
    fn senders_of_a_group_take_turns() {
        let mut inputs = Inputs::default();
        for (sender, callback) in [(1, 10), (1, 11), (2, 20)] {
            inputs.push(
                Source::Local,
                Principal::from_slice(&[sender]),
                answer(sender, callback),
            );
        }
        let order: Vec<_> = std::iter::from_fn(|| inputs.pop()).collect();
        assert_eq!(order, [answer(1, 10), answer(2, 20), answer(1, 11)]);
    }

    #[test]
    fn groups_take_turns() {
        let mut inputs = Inputs::default();
        let sender = Principal::from_slice(&[1]);
        inputs.push(Source::Remote, sender, answer(1, 1));
        inputs.push(Source::Local, sender, answer(1, 2));
        inputs.push(Source::Local, sender, answer(1, 3));
        let order: Vec<_> = std::iter::from_fn(|| inputs.pop()).collect();
        assert_eq!(order, [answer(1, 2), answer(1, 1), answer(1, 3)]);
    }
}

//! Does to a reply what a rule asked for.

use super::{Draw, Fault};
use std::time::Duration;

/// How a reply travels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Waited before the first byte.
    pub delay: Option<Duration>,
    /// Bytes of the body after which the connection breaks; with 0 the headers are not sent either.
    pub cut_after_bytes: Option<usize>,
}

/// Changes the finished reply `body` and says how it is to be delivered.
///
/// Faults that stop a request from being executed, lies and duplicates are not its business.
pub fn deliver(draw: &Draw, body: &mut Vec<u8>) -> Delivery {
    let mut delivery = Delivery::default();
    match draw.fault {
        Fault::Cut | Fault::DropReply => delivery.cut_after_bytes = Some(0),
        Fault::CutReply => delivery.cut_after_bytes = Some((body.len() / 2).max(1)),
        Fault::Truncate { keep_bytes } => {
            let keep = keep_bytes.map_or(body.len() / 2, |keep| {
                usize::try_from(keep).unwrap_or(usize::MAX)
            });
            body.truncate(keep);
        }
        Fault::Corrupt => flip_bit(body, draw.random),
        Fault::Delay { ms } => delivery.delay = Some(Duration::from_millis(ms)),
        Fault::Lie | Fault::Duplicate | Fault::Status { .. } => {}
    }
    delivery
}

/// Changes one byte of a query's answer; an empty answer gets one byte too many.
pub fn lie(draw: &Draw, answer: &mut Vec<u8>) {
    if answer.is_empty() {
        answer.push(0);
        return;
    }
    // Candid puts its types first; a lie in the last half still decodes and has to be found by other means.
    let start = answer.len() / 2;
    let span = (answer.len() - start) as u64;
    let at = start + (draw.random % span) as usize;
    answer[at] ^= 0x01;
}

fn flip_bit(body: &mut [u8], random: u64) {
    if body.is_empty() {
        return;
    }
    let at = (random % body.len() as u64) as usize;
    body[at] ^= 1 << ((random >> 32) % 8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(fault: Fault) -> Draw {
        Draw {
            fault,
            random: 0x0123_4567_89ab_cdef,
        }
    }

    #[test]
    fn corruption_changes_one_bit() {
        let mut body = vec![0u8; 100];
        assert_eq!(
            deliver(&draw(Fault::Corrupt), &mut body),
            Delivery::default()
        );
        let ones: u32 = body.iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(ones, 1);
    }

    #[test]
    fn truncation_keeps_the_beginning() {
        let mut body: Vec<u8> = (0..100).collect();
        deliver(&draw(Fault::Truncate { keep_bytes: None }), &mut body);
        assert_eq!(body, (0..50).collect::<Vec<u8>>());
        deliver(
            &draw(Fault::Truncate {
                keep_bytes: Some(1_000),
            }),
            &mut body,
        );
        assert_eq!(body.len(), 50);
    }

    #[test]
    fn a_lie_keeps_the_length() {
        let mut answer = vec![7u8; 9];
        lie(&draw(Fault::Lie), &mut answer);
        assert_eq!(answer.len(), 9);
        assert_eq!(answer.iter().filter(|byte| **byte != 7).count(), 1);
        assert_eq!(answer[..4], [7; 4]);
    }

    #[test]
    fn a_dropped_reply_sends_nothing_and_a_cut_one_something() {
        let mut body = vec![0; 10];
        assert_eq!(
            deliver(&draw(Fault::DropReply), &mut body).cut_after_bytes,
            Some(0)
        );
        assert_eq!(
            deliver(&draw(Fault::CutReply), &mut body).cut_after_bytes,
            Some(5)
        );
    }
}

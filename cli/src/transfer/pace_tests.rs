//! The pace over servers that are made up: what it settles for, and what finding out costs.

use super::*;
use proptest::prelude::*;

/// Bytes of every reply.
const LEN_BYTES: u64 = 2 << 20;
const LIMIT_MAX: usize = 12;

/// A server: `latency` on the way, `service` for each request, `hands` requests at a time, and so much more work for
/// every other request that waits.
#[derive(Clone, Copy, Debug)]
struct Server {
    latency: Duration,
    service: Duration,
    hands: usize,
    crowd_cost: f64,
}

impl Server {
    fn far(milliseconds: u64) -> Self {
        Self {
            latency: Duration::from_millis(milliseconds),
            service: Duration::from_millis(4),
            hands: 2,
            crowd_cost: 0.0,
        }
    }

    /// Moves `replies` and returns how long it took, and the limit at the end.
    fn run(self, replies: usize, pace: &mut impl Pacing) -> (Duration, usize) {
        // When each request began and when its reply comes.
        let mut under_way: Vec<(Duration, Duration)> = Vec::new();
        let mut hands = vec![Duration::ZERO; self.hands];
        let (mut now, mut begun, mut ended) = (Duration::ZERO, 0, 0);
        while ended < replies {
            while under_way.len() < pace.limit() && begun < replies {
                let crowd = under_way.len().saturating_sub(self.hands);
                let service = self.service.mul_f64(1.0 + self.crowd_cost * crowd as f64);
                let hand = hands.iter_mut().min().unwrap();
                *hand = (*hand).max(now) + service;
                under_way.push((now, *hand + self.latency));
                begun += 1;
            }
            let next = (0..under_way.len()).min_by_key(|index| under_way[*index].1);
            let (sent, came) = under_way.swap_remove(next.unwrap());
            now = came;
            ended += 1;
            pace.replied(now, now - sent);
        }
        (now, pace.limit())
    }
}

/// A pace, or a fixed limit.
trait Pacing {
    fn limit(&self) -> usize;
    fn replied(&mut self, now: Duration, taken: Duration);
}

impl Pacing for Pace {
    fn limit(&self) -> usize {
        self.limit()
    }

    fn replied(&mut self, now: Duration, taken: Duration) {
        self.replied(now, taken, LEN_BYTES);
        assert!((1..=LIMIT_MAX).contains(&self.limit()));
    }
}

impl Pacing for usize {
    fn limit(&self) -> usize {
        *self
    }

    fn replied(&mut self, _: Duration, _: Duration) {}
}

#[test]
fn a_server_far_away_gets_as_many_as_it_may() {
    let server = Server::far(100);
    let (fixed, _) = server.run(128, &mut { LIMIT_MAX });
    let (time, limit) = server.run(128, &mut Pace::new(LIMIT_MAX));
    assert_eq!(limit, LIMIT_MAX);
    assert!(time < fixed.mul_f64(1.1), "{time:?}, {fixed:?}");
}

#[test]
fn a_server_that_suffers_from_crowds_is_spared_them() {
    let server = Server {
        crowd_cost: 0.1,
        hands: 1,
        ..Server::far(0)
    };
    let (fixed, _) = server.run(128, &mut { LIMIT_MAX });
    let (best, _) = server.run(128, &mut 1);
    let (time, limit) = server.run(128, &mut Pace::new(LIMIT_MAX));
    assert!(limit <= 2, "{limit}");
    assert!(
        time < best.mul_f64(1.1) && time < fixed,
        "{time:?}, {best:?}, {fixed:?}"
    );
}

#[test]
fn looking_around_costs_little_in_the_long_run() {
    for milliseconds in [0, 1, 10, 100, 300] {
        let server = Server::far(milliseconds);
        let best = (1..=LIMIT_MAX)
            .map(|limit| server.run(4096, &mut { limit }).0)
            .min()
            .unwrap();
        let (time, _) = server.run(4096, &mut Pace::new(LIMIT_MAX));
        assert!(
            time < best.mul_f64(1.1),
            "{milliseconds} ms: {time:?}, {best:?}"
        );
    }
}

#[test]
fn a_server_that_moves_away_gets_more() {
    let mut pace = Pace::new(LIMIT_MAX);
    let (_, limit) = Server::far(0).run(256, &mut pace);
    assert!(limit < LIMIT_MAX, "{limit}");
    let (_, limit) = Server::far(100).run(1024, &mut pace);
    assert_eq!(limit, LIMIT_MAX);
}

proptest! {
    #[test]
    fn the_limit_stays_within_its_bounds(
        limit_max in 0usize..70,
        replies in prop::collection::vec((0u64..1000, 0u64..2000, 0u64..5_000_000), 0..400),
    ) {
        let mut pace = Pace::new(limit_max);
        let mut now = Duration::ZERO;
        for (pause, taken, bytes) in replies {
            now += Duration::from_millis(pause);
            pace.replied(now, Duration::from_millis(taken), bytes);
            prop_assert!((1..=limit_max.max(1)).contains(&pace.limit()));
        }
    }
}

//! Commands that are ended by SIGKILL at a chosen point, and run again.

use crate::cli::Cli;
use crate::tap::{Moment, Tap};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often it is looked whether it is time to kill.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Where a run is ended.
#[derive(Clone, Copy, Debug)]
pub enum Point {
    /// When this request, counted from 1, is on the line.
    Request(u64, Moment),
    /// After this time.
    Time(Duration),
}

/// Runs the command and ends it at `point`; none if it was killed.
pub fn run_until(mut command: Command, tap: &Tap, point: Option<Point>) -> Option<ExitStatus> {
    tap.hold(match point {
        Some(Point::Request(number, moment)) => Some((number, moment)),
        _ => None,
    });
    let begun = Instant::now();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            if !status.success() {
                let output = child.wait_with_output().unwrap();
                eprintln!("{}", String::from_utf8_lossy(&output.stderr));
            }
            return Some(status);
        }
        let is_time = matches!(point, Some(Point::Time(time)) if begun.elapsed() >= time);
        if is_time || tap.is_held() {
            return kill(&mut child);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn kill(child: &mut Child) -> Option<ExitStatus> {
    child.kill().unwrap();
    let status = child.wait().unwrap();
    // It may have ended by itself just before.
    status.code().map(|_| status)
}

/// Kills after requests in turn.
pub struct Kills<'a> {
    /// What the commands go over.
    pub tap: &'a Tap,
    /// One request in so many.
    pub every: u64,
    /// The last one is that of the first call of this method, or of the command if there is none.
    pub until: Option<&'a str>,
}

impl<'a> Kills<'a> {
    /// Kills after each request of a command.
    pub fn after_each(tap: &'a Tap) -> Kills<'a> {
        Kills {
            tap,
            every: 1,
            until: None,
        }
    }

    /// Kills a command after one of its requests and runs it again, with another canister and a later request each
    /// time. `begin` makes the canister and the command; `judge` is told the canister, where the command was killed,
    /// and what it said in the end. Returns the number of kills.
    pub fn each<Made>(
        &self,
        begin: impl Fn() -> (Cli, Made),
        judge: impl Fn(&Made, &str, &str),
    ) -> u64 {
        for kills in 1.. {
            let (cli, made) = begin();
            let request = kills * self.every;
            let point = Point::Request(request, Moment::After);
            let ended = run_until(cli.command(), self.tap, Some(point));
            let is_last = self
                .until
                .is_some_and(|last| !self.tap.heard(last).is_empty());
            self.tap.hold(None);
            if let Some(status) = ended {
                assert!(status.success(), "{status}");
                assert_eq!(self.until, None, "it ended before this was heard");
                return kills - 1;
            }
            let at = format!("killed after request {request}");
            println!("{at}");
            judge(&made, &at, &cli.succeed());
            if is_last {
                return kills;
            }
        }
        unreachable!("BUG: it counts until a command is through")
    }
}

//! The system-call trace of a run: one line a call, hashed while it is written.
//!
//! ```text
//! stable64_grow(16) -> 0
//! stable64_write(0, 1048576, 65536)
//! call_perform() -> 0 answered
//! trap(1049088, 34) failed
//! ```

use archive::provenance::TraceRecord;
use engine::SystemCall;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a trace goes.
pub type Sink = Box<dyn Write + Send>;

/// A trace under way. Clones write to the same place.
#[derive(Clone)]
pub struct Tracer {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    sink: Sink,
    hash: Sha256,
    calls: u64,
    failure: Option<std::io::Error>,
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracer").finish_non_exhaustive()
    }
}

impl Tracer {
    /// A trace into `sink`.
    pub fn new(sink: Sink) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                sink,
                hash: Sha256::new(),
                calls: 0,
                failure: None,
            })),
        }
    }

    /// Writes one call. After the first failure nothing more is written.
    pub fn note(&self, call: &SystemCall<'_>) {
        let mut inner = self.lock();
        if inner.failure.is_some() {
            return;
        }
        let line = line(call);
        inner.calls += 1;
        inner.hash.update(line.as_bytes());
        if let Err(error) = inner.sink.write_all(line.as_bytes()) {
            inner.failure = Some(error);
        }
    }

    /// Ends the trace.
    ///
    /// # Errors
    /// What the system answered when a line could not be written.
    pub fn finish(&self) -> std::io::Result<TraceRecord> {
        let mut inner = self.lock();
        if let Some(error) = inner.failure.take() {
            return Err(error);
        }
        inner.sink.flush()?;
        Ok(TraceRecord {
            calls: inner.calls,
            sha256: hex::encode(inner.hash.clone().finalize()),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn line(call: &SystemCall<'_>) -> String {
    let arguments: Vec<String> = call.arguments.iter().map(i64::to_string).collect();
    let mut line = format!("{}({})", call.function, arguments.join(", "));
    // Writing to a string cannot fail.
    if let Some(result) = call.result {
        let _ = write!(line, " -> {result}");
    }
    if call.answered {
        line.push_str(" answered");
    }
    if call.failed {
        line.push_str(" failed");
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_has_a_line_per_call_and_its_hash() {
        let call = |function, arguments, result, answered, failed| SystemCall {
            function,
            arguments,
            result,
            answered,
            failed,
        };
        let lines = [
            line(&call("stable64_grow", &[16], Some(0), false, false)),
            line(&call("call_new", &[1, 2], None, true, false)),
            line(&call("trap", &[8, 34], None, false, true)),
        ];
        assert_eq!(
            lines.concat(),
            "stable64_grow(16) -> 0\ncall_new(1, 2) answered\ntrap(8, 34) failed\n"
        );
        let tracer = Tracer::new(Box::new(std::io::sink()));
        tracer.note(&call("trap", &[8, 34], None, false, true));
        let record = tracer.finish().unwrap();
        assert_eq!(record.calls, 1);
        assert_eq!(record.sha256, hex::encode(Sha256::digest(&lines[2])));
    }
}

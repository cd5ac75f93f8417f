//! The log of a canister: the last lines that fit into 4 KiB.

use std::collections::VecDeque;

use super::limits::{LOG_CAPACITY_BYTES, LOG_RECORD_OVERHEAD_BYTES};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Counts the lines of a canister, from 0, over its whole life.
    pub index: u64,
    /// When it was written, nanoseconds since the epoch.
    pub time_ns: u64,
    /// What was printed.
    pub content: Vec<u8>,
}

impl LogRecord {
    fn len_bytes(&self) -> usize {
        LOG_RECORD_OVERHEAD_BYTES + self.content.len()
    }
}

/// The log.
#[derive(Clone, Debug, Default)]
pub struct Log {
    next_index: u64,
    records: VecDeque<LogRecord>,
}

impl Log {
    /// Adds the lines of one message. Old ones make room for new ones.
    pub fn append(&mut self, lines: Vec<Vec<u8>>, time_ns: u64) {
        for mut content in lines {
            content.truncate(LOG_CAPACITY_BYTES - LOG_RECORD_OVERHEAD_BYTES);
            self.records.push_back(LogRecord {
                index: self.next_index,
                time_ns,
                content,
            });
            self.next_index += 1;
        }
        let mut used: usize = self.records.iter().map(LogRecord::len_bytes).sum();
        while used > LOG_CAPACITY_BYTES
            && let Some(oldest) = self.records.pop_front()
        {
            used -= oldest.len_bytes();
        }
    }

    /// Forgets the lines; numbering goes on.
    pub fn clear(&mut self) {
        self.records.clear();
    }

    /// The lines, oldest first.
    pub fn records(&self) -> impl Iterator<Item = &LogRecord> {
        self.records.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_lines_make_room_and_numbering_goes_on() {
        let mut log = Log::default();
        log.append(vec![vec![b'a'; 3000], vec![b'b'; 3000]], 1);
        let indexes: Vec<u64> = log.records().map(|record| record.index).collect();
        assert_eq!(indexes, [1]);
        log.clear();
        log.append(vec![b"c".to_vec()], 2);
        assert_eq!(log.records().next().unwrap().index, 2);
    }
}

//! Plans a transfer: which chunks travel together. Pure.

use archive::ChunkDigests;

/// Consecutive chunks that are moved by one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Index of the first chunk.
    pub first: u64,
    /// Number of chunks, at least 1.
    pub count: u64,
    /// First byte.
    pub offset_bytes: u64,
    /// Length in bytes.
    pub len_bytes: u64,
}

/// Groups `chunks`, which rise, into spans of at most `count_max` neighbours.
pub fn spans(digests: &ChunkDigests, chunks: &[u64], count_max: u64) -> Vec<Span> {
    assert!(count_max > 0, "BUG: spans without chunks");
    let mut spans: Vec<Span> = Vec::new();
    for &chunk in chunks {
        let len_bytes = digests.len_bytes(chunk);
        match spans.last_mut() {
            Some(span) if span.first + span.count == chunk && span.count < count_max => {
                span.count += 1;
                span.len_bytes += len_bytes;
            }
            _ => spans.push(Span {
                first: chunk,
                count: 1,
                offset_bytes: digests.offset_bytes(chunk),
                len_bytes,
            }),
        }
    }
    spans
}

/// The chunks in which two sets of digests differ, counting those that only `wanted` has.
pub fn differing(wanted: &ChunkDigests, found: &ChunkDigests) -> Vec<u64> {
    let same = |chunk: u64| {
        chunk < found.count()
            && wanted.len_bytes(chunk) == found.len_bytes(chunk)
            && wanted.get(chunk) == found.get(chunk)
    };
    (0..wanted.count()).filter(|chunk| !same(*chunk)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive::Memory;

    fn digests(data: &[u8]) -> ChunkDigests {
        ChunkDigests::of_bytes(Memory::Stable, data, 4)
    }

    #[test]
    fn neighbours_travel_together() {
        let digests = digests(&[1; 31]);
        let spans = spans(&digests, &[0, 1, 2, 5, 7], 2);
        let short: Vec<_> = spans
            .iter()
            .map(|s| (s.first, s.count, s.offset_bytes, s.len_bytes))
            .collect();
        assert_eq!(
            short,
            [(0, 2, 0, 8), (2, 1, 8, 4), (5, 1, 20, 4), (7, 1, 28, 3)]
        );
    }

    #[test]
    fn a_grown_memory_differs_where_it_grew() {
        assert_eq!(differing(&digests(&[1; 10]), &digests(&[1; 6])), [1, 2]);
        assert_eq!(
            differing(&digests(&[1; 8]), &digests(&[1; 8])),
            [] as [u64; 0]
        );
        assert_eq!(
            differing(&digests(&[1, 1, 1, 1, 2]), &digests(&[3, 1, 1, 1, 2])),
            [0]
        );
    }
}

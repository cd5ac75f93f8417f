//! What a sparse memory costs: disk for its data, memory for none of it. `cargo xtask bench --large` does the
//! same with 64 GiB.

use tests::large::{Scale, run};

/// What the whole process may have resident, in bytes.
const PEAK_BYTES_MAX: u64 = 256 << 20;
/// By how much a memory of sixteen times the size may change that, in bytes.
const PEAK_DIFFERENCE_MAX: u64 = 32 << 20;

#[test]
fn a_sparse_gigabyte_takes_the_disk_of_its_data_and_no_memory() {
    let data_bytes = 48 << 20;
    let [small, large] = [64 << 20, 1 << 30].map(|size_bytes| {
        let scale = Scale {
            size_bytes,
            data_bytes,
        };
        let figures = run(scale, |_| {});
        assert!(figures.peak_bytes() <= PEAK_BYTES_MAX, "{figures:#?}");
        assert!(figures.disk_bytes * 100 <= data_bytes * 105, "{figures:#?}");
        assert_eq!(figures.chunks_fetched_again, figures.chunks_changed);
        figures
    });
    let (small, large) = (small.peak_bytes(), large.peak_bytes());
    assert!(
        large.abs_diff(small) <= PEAK_DIFFERENCE_MAX,
        "{small}, {large}"
    );
}

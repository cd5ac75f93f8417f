//! `cargo xtask bench --large`: a sparse memory through backup, verification, a second backup with one chunk in
//! a hundred changed, and restore. Fails if a promise is not kept.
//!
//! `bench_large [SIZE_GIB [DATA_GIB]]`, 64 and 3 unless told otherwise.

// A benchmark that cannot go on reports by panicking.
#![allow(clippy::unwrap_used)]

use tests::large::{Scale, run};

/// What the whole process may have resident, in bytes.
const PEAK_BYTES_MAX: u64 = 256 << 20;

fn main() {
    let mut numbers = std::env::args()
        .skip(1)
        .map(|word| word.parse::<u64>().unwrap());
    let scale = Scale {
        size_bytes: numbers.next().unwrap_or(64) << 30,
        data_bytes: numbers.next().unwrap_or(3) << 30,
    };
    let figures = run(scale, |text| println!("… {text}"));
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    println!(
        "\nstable memory of {} GiB with {} GiB of data",
        gib(scale.size_bytes),
        gib(scale.data_bytes)
    );
    println!("{:<28}{:>10}{:>16}", "command", "seconds", "peak (MiB)");
    for step in &figures.steps {
        println!(
            "{:<28}{:>10.1}{:>16}",
            step.name,
            step.time.as_secs_f64(),
            step.peak_bytes >> 20
        );
    }
    let share = figures.disk_bytes as f64 / scale.data_bytes as f64;
    println!(
        "disk: {:.3} GiB, {share:.4} of the data",
        gib(figures.disk_bytes)
    );
    println!(
        "second backup: {} chunks fetched, {} had changed",
        figures.chunks_fetched_again, figures.chunks_changed
    );
    assert!(figures.peak_bytes() <= PEAK_BYTES_MAX, "too much memory");
    assert!(share <= 1.05, "too much disk");
    assert_eq!(figures.chunks_fetched_again, figures.chunks_changed);
}

//! The upgrade hooks of each build: what breaks the patient, and nothing else.

#[cfg(not(any(
    feature = "hook-panics",
    feature = "hook-exhausts",
    feature = "hook-saves",
    feature = "fixed"
)))]
pub const BUILD: &str = "first";
#[cfg(feature = "hook-saves")]
pub const BUILD: &str = "hook-saves";
#[cfg(feature = "hook-panics")]
pub const BUILD: &str = "hook-panics";
#[cfg(feature = "hook-exhausts")]
pub const BUILD: &str = "hook-exhausts";
#[cfg(feature = "fixed")]
pub const BUILD: &str = "fixed";

/// The classic: an assumption that no longer holds.
#[cfg(feature = "hook-panics")]
#[ic_cdk::pre_upgrade]
fn pre_upgrade() {
    let entries = crate::length();
    assert!(
        entries == 0,
        "cannot serialise {entries} entries: the scratch buffer is too small"
    );
}

/// Work that grows with the data, until it no longer fits into an upgrade's instruction limit.
#[cfg(feature = "hook-exhausts")]
#[ic_cdk::pre_upgrade]
fn pre_upgrade() {
    let mut scratch = vec![0_u8; 1 << 20];
    let mut pass = 0_u8;
    loop {
        scratch.fill(pass);
        pass = std::hint::black_box(&scratch)[0].wrapping_add(1);
    }
}

/// A hook that works: it writes the balances down, so that the next build need not sum them up.
#[cfg(feature = "hook-saves")]
#[ic_cdk::pre_upgrade]
fn pre_upgrade() {
    crate::BALANCES.with_borrow(crate::save_balances);
}

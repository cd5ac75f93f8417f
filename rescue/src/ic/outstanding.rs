//! Counts calls whose answers have not come back, so that the code which waits for them is not replaced.
//!
//! An answer is delivered to a place in the table and an address in the heap that the calling code named.
//! After an upgrade both belong to something else: the answer would be lost at best, and be taken for the
//! answer to another call at worst. Therefore `post_upgrade` refuses while calls are out. A canister that
//! has *stopped* has none, whatever the count says; every call made here is answered in the end, so that
//! stopping always succeeds.

use std::future::Future;

use ic_cdk::api::CanisterStatusCode;

use crate::store::counters;

/// Awaits a call and counts it while it is out.
pub async fn count<T>(call: impl Future<Output = T>) -> T {
    counters::count(|counters| {
        counters.calls += 1;
        counters.calls_out = Some(counters.calls_out.unwrap_or_default() + 1);
    });
    // Dropped also where the callback traps: the clean-up after it drops what waited for the answer.
    let _returned = Returned;
    call.await
}

struct Returned;

impl Drop for Returned {
    fn drop(&mut self) {
        counters::count(|counters| {
            counters.calls_out = counters.calls_out.map(|out| out.saturating_sub(1));
        });
    }
}

/// For `post_upgrade`: whether the module may be replaced now. If not, says what to do.
///
/// # Errors
/// The text of the trap that makes the IC revert the upgrade.
pub fn check_none() -> Result<(), String> {
    let out = counters::get().calls_out.unwrap_or_default();
    if ic_cdk::api::canister_status() == CanisterStatusCode::Stopped {
        counters::count(|counters| counters.calls_out = None);
    } else if out > 0 {
        return Err(format!(
            "{out} of the rescue canister's calls are not answered yet: stop it first (stop_canister waits \
             for the answers), then upgrade and start it. Nothing has changed."
        ));
    }
    Ok(())
}

//! What code sees of the world off chain. Everything comes from the backup or from the caller, so
//! that the same command has the same result at any time and place.

use crate::error::OfflineError;
use crate::patient::Patient;
use candid::Principal;
use engine::Env;

/// Cycles a canister sees off chain unless told otherwise: enough for any check that it is alive.
pub const CYCLES_DEFAULT: u128 = 10_000_000_000_000;

/// What the caller decides; the rest comes from the backup.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Who calls.
    pub caller: Principal,
    /// Who is a controller.
    pub controllers: Vec<Principal>,
    /// Time in nanoseconds since 1970; none for the time of the backup.
    pub time_ns: Option<u64>,
    /// The canister's cycles.
    pub cycles: u128,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            caller: Principal::anonymous(),
            controllers: Vec::new(),
            time_ns: None,
            cycles: CYCLES_DEFAULT,
        }
    }
}

impl Surroundings {
    /// The engine's surroundings for code of `patient`.
    pub fn env(&self, patient: &Patient) -> Env {
        let metadata = &patient.metadata;
        let mut env = Env::new(patient.canister);
        env.caller = self.caller;
        env.controllers = self.controllers.clone();
        env.time_ns = self.time_ns.unwrap_or(metadata.taken_at_timestamp);
        env.cycle_balance = self.cycles;
        env.canister_version = metadata.canister_version;
        env.global_timer_ns = match metadata.global_timer {
            Some(archive::metadata::GlobalTimer::Active(at)) => at,
            _ => 0,
        };
        env
    }
}

/// Understands a principal.
///
/// # Errors
/// [`OfflineError::BadPrincipal`].
pub fn principal(text: &str) -> Result<Principal, OfflineError> {
    Principal::from_text(text).map_err(|_| OfflineError::BadPrincipal { text: text.into() })
}

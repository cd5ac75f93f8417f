//! Settings of a canister, and the changes users ask for.

use std::collections::BTreeMap;

use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterSettings, DefiniteCanisterSettings, EnvironmentVariable, LogVisibility,
    SnapshotVisibility, StatusVisibility,
};
use sha2::{Digest as _, Sha256};

use super::errors::UserError;
use super::limits::{
    DEFAULT_FREEZING_THRESHOLD_SECONDS, DEFAULT_RESERVED_CYCLES_LIMIT,
    DEFAULT_WASM_MEMORY_LIMIT_BYTES, LOG_CAPACITY_BYTES, MAX_CONTROLLERS,
    MAX_ENVIRONMENT_VARIABLE_BYTES, MAX_ENVIRONMENT_VARIABLES,
};

/// The settings as they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who controls the canister, in order of their bytes, each once.
    pub controllers: Vec<Principal>,
    /// Guaranteed share of a core, percent.
    pub compute_allocation_percent: u64,
    /// Reserved memory; 0 for best effort.
    pub memory_allocation_bytes: u64,
    /// How long the balance must be able to pay for storage, or the canister is frozen.
    pub freezing_threshold_seconds: u64,
    /// Bound of cycles set aside for storage.
    pub reserved_cycles_limit: u128,
    /// Cycles a canister must attach to call this one.
    pub minimum_incoming_canister_call_cycles: u128,
    /// Who reads the log.
    pub log_visibility: LogVisibility,
    /// Bytes of the log.
    pub log_memory_limit_bytes: u64,
    /// Who reads snapshots.
    pub snapshot_visibility: SnapshotVisibility,
    /// Who reads the status.
    pub status_visibility: StatusVisibility,
    /// Bound of the heap for updates; 0 for none.
    pub wasm_memory_limit_bytes: u64,
    /// Free heap below which the low memory hook runs; 0 for never.
    pub wasm_memory_threshold_bytes: u64,
    /// Variables the canister can read.
    pub environment_variables: BTreeMap<String, String>,
}

impl Settings {
    /// The settings of a new canister.
    pub fn new(controllers: Vec<Principal>) -> Self {
        let mut settings = Settings {
            controllers,
            compute_allocation_percent: 0,
            memory_allocation_bytes: 0,
            freezing_threshold_seconds: DEFAULT_FREEZING_THRESHOLD_SECONDS,
            reserved_cycles_limit: DEFAULT_RESERVED_CYCLES_LIMIT,
            minimum_incoming_canister_call_cycles: 0,
            log_visibility: LogVisibility::Controllers,
            log_memory_limit_bytes: LOG_CAPACITY_BYTES as u64,
            snapshot_visibility: SnapshotVisibility::Controllers,
            status_visibility: StatusVisibility::Controllers,
            wasm_memory_limit_bytes: DEFAULT_WASM_MEMORY_LIMIT_BYTES,
            wasm_memory_threshold_bytes: 0,
            environment_variables: BTreeMap::new(),
        };
        settings.order_controllers();
        settings
    }

    fn order_controllers(&mut self) {
        self.controllers.sort();
        self.controllers.dedup();
    }

    /// Whether the principal is a controller.
    pub fn is_controller(&self, principal: &Principal) -> bool {
        self.controllers.binary_search(principal).is_ok()
    }

    /// Whether the principal may read the canister's log.
    pub fn shows_logs_to(&self, principal: &Principal) -> bool {
        self.is_controller(principal)
            || match &self.log_visibility {
                LogVisibility::Public => true,
                LogVisibility::Controllers => false,
                LogVisibility::AllowedViewers(viewers) => viewers.contains(principal),
            }
    }

    /// Puts the changes in place.
    pub fn apply(&mut self, change: SettingsChange) {
        fn set<T>(field: &mut T, new: Option<T>) {
            if let Some(new) = new {
                *field = new;
            }
        }
        set(&mut self.controllers, change.controllers);
        set(
            &mut self.compute_allocation_percent,
            change.compute_allocation_percent,
        );
        set(
            &mut self.memory_allocation_bytes,
            change.memory_allocation_bytes,
        );
        set(
            &mut self.freezing_threshold_seconds,
            change.freezing_threshold_seconds,
        );
        set(
            &mut self.reserved_cycles_limit,
            change.reserved_cycles_limit,
        );
        set(
            &mut self.minimum_incoming_canister_call_cycles,
            change.minimum_incoming_canister_call_cycles,
        );
        set(&mut self.log_visibility, change.log_visibility);
        set(
            &mut self.log_memory_limit_bytes,
            change.log_memory_limit_bytes,
        );
        set(&mut self.snapshot_visibility, change.snapshot_visibility);
        set(&mut self.status_visibility, change.status_visibility);
        set(
            &mut self.wasm_memory_limit_bytes,
            change.wasm_memory_limit_bytes,
        );
        set(
            &mut self.wasm_memory_threshold_bytes,
            change.wasm_memory_threshold_bytes,
        );
        set(
            &mut self.environment_variables,
            change.environment_variables,
        );
        self.order_controllers();
    }

    /// The settings as `canister_status` shows them.
    pub fn definite(&self) -> DefiniteCanisterSettings {
        DefiniteCanisterSettings {
            controllers: self.controllers.clone(),
            compute_allocation: Nat::from(self.compute_allocation_percent),
            memory_allocation: Nat::from(self.memory_allocation_bytes),
            freezing_threshold: Nat::from(self.freezing_threshold_seconds),
            reserved_cycles_limit: Nat::from(self.reserved_cycles_limit),
            minimum_incoming_canister_call_cycles: Nat::from(
                self.minimum_incoming_canister_call_cycles,
            ),
            log_visibility: self.log_visibility.clone(),
            log_memory_limit: Nat::from(self.log_memory_limit_bytes),
            snapshot_visibility: self.snapshot_visibility.clone(),
            status_visibility: self.status_visibility.clone(),
            wasm_memory_limit: Nat::from(self.wasm_memory_limit_bytes),
            wasm_memory_threshold: Nat::from(self.wasm_memory_threshold_bytes),
            environment_variables: self
                .environment_variables
                .iter()
                .map(|(name, value)| EnvironmentVariable {
                    name: name.clone(),
                    value: value.clone(),
                })
                .collect(),
        }
    }

    /// The hash of the environment variables in the history: SHA-256 over the sorted pairs of
    /// the hashes of name and value.
    pub fn environment_variables_hash(&self) -> Vec<u8> {
        let mut pairs: Vec<Vec<u8>> = self
            .environment_variables
            .iter()
            .map(|(name, value)| {
                let name: [u8; 32] = Sha256::digest(name).into();
                let value: [u8; 32] = Sha256::digest(value).into();
                [name, value].concat()
            })
            .collect();
        pairs.sort();
        Sha256::digest(pairs.concat()).to_vec()
    }
}

/// Changes asked for, every value within its range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// See [`Settings::controllers`].
    pub controllers: Option<Vec<Principal>>,
    /// See [`Settings::compute_allocation_percent`].
    pub compute_allocation_percent: Option<u64>,
    /// See [`Settings::memory_allocation_bytes`].
    pub memory_allocation_bytes: Option<u64>,
    /// See [`Settings::freezing_threshold_seconds`].
    pub freezing_threshold_seconds: Option<u64>,
    /// See [`Settings::reserved_cycles_limit`].
    pub reserved_cycles_limit: Option<u128>,
    /// See [`Settings::minimum_incoming_canister_call_cycles`].
    pub minimum_incoming_canister_call_cycles: Option<u128>,
    /// See [`Settings::log_visibility`].
    pub log_visibility: Option<LogVisibility>,
    /// See [`Settings::log_memory_limit_bytes`].
    pub log_memory_limit_bytes: Option<u64>,
    /// See [`Settings::snapshot_visibility`].
    pub snapshot_visibility: Option<SnapshotVisibility>,
    /// See [`Settings::status_visibility`].
    pub status_visibility: Option<StatusVisibility>,
    /// See [`Settings::wasm_memory_limit_bytes`].
    pub wasm_memory_limit_bytes: Option<u64>,
    /// See [`Settings::wasm_memory_threshold_bytes`].
    pub wasm_memory_threshold_bytes: Option<u64>,
    /// See [`Settings::environment_variables`].
    pub environment_variables: Option<BTreeMap<String, String>>,
}

impl TryFrom<CanisterSettings> for SettingsChange {
    type Error = UserError;

    fn try_from(asked: CanisterSettings) -> Result<Self, UserError> {
        Ok(SettingsChange {
            compute_allocation_percent: percent(asked.compute_allocation)?,
            memory_allocation_bytes: word(
                "MemoryAllocation",
                "the range ",
                asked.memory_allocation,
            )?,
            freezing_threshold_seconds: word(
                "Freezing threshold",
                "the range of ",
                asked.freezing_threshold,
            )?,
            reserved_cycles_limit: amount("Reserved cycles limit", asked.reserved_cycles_limit)?,
            minimum_incoming_canister_call_cycles: amount(
                "Minimum incoming canister call cycles",
                asked.minimum_incoming_canister_call_cycles,
            )?,
            log_memory_limit_bytes: log_limit(word(
                "Log memory limit",
                "the range of ",
                asked.log_memory_limit,
            )?)?,
            wasm_memory_limit_bytes: heap_limit(asked.wasm_memory_limit)?,
            wasm_memory_threshold_bytes: word(
                "Wasm memory threshold",
                "the range of ",
                asked.wasm_memory_threshold,
            )?,
            environment_variables: variables(asked.environment_variables)?,
            controllers: asked.controllers,
            log_visibility: asked.log_visibility,
            snapshot_visibility: asked.snapshot_visibility,
            status_visibility: asked.status_visibility,
        })
    }
}

impl SettingsChange {
    /// Checks the bounds that the Internet Computer checks when the change is applied.
    ///
    /// # Errors
    /// Too many controllers, too many or too long environment variables.
    pub fn check(&self) -> Result<(), UserError> {
        if let Some(variables) = &self.environment_variables {
            check_variables(variables)?;
        }
        match &self.controllers {
            Some(controllers) if controllers.len() > MAX_CONTROLLERS => {
                Err(UserError::setting_out_of_range(format!(
                    "Could not validate the settings: Invalid settings: 'controllers' length exceeds maximum size allowed of {MAX_CONTROLLERS}."
                )))
            }
            _ => Ok(()),
        }
    }
}

fn check_variables(variables: &BTreeMap<String, String>) -> Result<(), UserError> {
    if variables.len() > MAX_ENVIRONMENT_VARIABLES {
        return Err(UserError::invalid_payload(format!(
            "Too many environment variables: {} (max: {MAX_ENVIRONMENT_VARIABLES})",
            variables.len()
        )));
    }
    for (name, value) in variables {
        for (what, text) in [("name", name), ("value", value)] {
            if text.len() > MAX_ENVIRONMENT_VARIABLE_BYTES {
                return Err(UserError::invalid_payload(format!(
                    "Environment variable {what} \"{text}\" exceeds the maximum allowed length of {MAX_ENVIRONMENT_VARIABLE_BYTES}."
                )));
            }
        }
    }
    Ok(())
}

fn percent(asked: Option<Nat>) -> Result<Option<u64>, UserError> {
    asked
        .map(|asked| match u64::try_from(&asked.0) {
            Ok(percent) if percent <= 100 => Ok(percent),
            _ => Err(UserError::setting_out_of_range(format!(
                "ComputeAllocation expected to be in the range [0..100], got {asked}"
            ))),
        })
        .transpose()
}

fn word(what: &str, range: &str, asked: Option<Nat>) -> Result<Option<u64>, UserError> {
    asked
        .map(|asked| {
            u64::try_from(&asked.0).map_err(|_| {
                UserError::setting_out_of_range(format!(
                    "{what} expected to be in {range}[0..2^64-1], got {asked}"
                ))
            })
        })
        .transpose()
}

fn amount(what: &str, asked: Option<Nat>) -> Result<Option<u128>, UserError> {
    asked
        .map(|asked| {
            u128::try_from(&asked.0).map_err(|_| {
                UserError::setting_out_of_range(format!(
                    "{what} expected to be in the range of [0..2^128-1], got {asked}"
                ))
            })
        })
        .transpose()
}

fn heap_limit(asked: Option<Nat>) -> Result<Option<u64>, UserError> {
    const MAX_LIMIT_BYTES: u64 = 1 << 48;
    let limit = word("Wasm memory limit", "the range of ", asked)?;
    match limit {
        Some(limit) if limit > MAX_LIMIT_BYTES => Err(UserError::setting_out_of_range(format!(
            "Wasm memory limit expected to be in the range of [0..2^64-1], got {}",
            Nat::from(limit)
        ))),
        limit => Ok(limit),
    }
}

/// The log has one size only in this version of the Internet Computer.
fn log_limit(asked: Option<u64>) -> Result<Option<u64>, UserError> {
    const ONLY_BYTES: u64 = LOG_CAPACITY_BYTES as u64;
    match asked {
        Some(bytes) if bytes < ONLY_BYTES => Err(UserError::rejected(format!(
            "The canister log memory limit {bytes} is too low. It must be at least {ONLY_BYTES}."
        ))),
        Some(bytes) if bytes > ONLY_BYTES => Err(UserError::rejected(format!(
            "The canister log memory limit {bytes} is too high. It must be at most {ONLY_BYTES}."
        ))),
        asked => Ok(asked),
    }
}

fn variables(
    asked: Option<Vec<EnvironmentVariable>>,
) -> Result<Option<BTreeMap<String, String>>, UserError> {
    let Some(asked) = asked else { return Ok(None) };
    let count = asked.len();
    let variables: BTreeMap<String, String> = asked
        .into_iter()
        .map(|variable| (variable.name, variable.value))
        .collect();
    if variables.len() < count {
        return Err(UserError::invalid_payload(
            "Duplicate environment variables are not allowed",
        ));
    }
    Ok(Some(variables))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_are_kept_in_order_and_once() {
        let [a, b] = [Principal::from_slice(&[2]), Principal::from_slice(&[1])];
        let settings = Settings::new(vec![a, b, a]);
        assert_eq!(settings.controllers, [b, a]);
        assert!(settings.is_controller(&a));
    }

    #[test]
    fn a_compute_allocation_above_100_is_refused_with_the_number() {
        let asked = CanisterSettings {
            compute_allocation: Some(Nat::from(101u64)),
            ..Default::default()
        };
        let error = SettingsChange::try_from(asked).unwrap_err();
        assert!(error.description.ends_with("got 101"), "{error}");
    }

    #[test]
    fn variables_of_the_same_name_are_refused() {
        let twice = vec![
            EnvironmentVariable::default(),
            EnvironmentVariable::default(),
        ];
        assert!(variables(Some(twice)).is_err());
    }
}

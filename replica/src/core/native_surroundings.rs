//! What native canisters do to an instance: they look at its subnets, create canisters and fill them up.

use candid::Principal;
use ic_management_canister_types::CanisterSettings;
use pocket_ic::common::rest::SubnetKind;

use super::api::RejectCode;
use super::errors::UserError;
use super::instance::Instance;
use super::management::create::create_for;
use super::native::{CYCLES_MINTING, Surroundings};

impl Surroundings for Instance {
    fn time_ns(&self) -> u64 {
        self.time_ns
    }

    fn default_subnets(&self) -> Vec<Principal> {
        self.topology()
            .subnets()
            .iter()
            .filter(|subnet| subnet.kind == SubnetKind::Application)
            .map(|subnet| subnet.id)
            .collect()
    }

    fn create_canister(
        &mut self,
        subnet: Principal,
        settings: CanisterSettings,
        cycles: u128,
    ) -> Result<Principal, String> {
        let unknown = || format!("Subnet {subnet} does not exist");
        let context = self
            .context(&subnet, self.certified_time_ns())
            .ok_or_else(unknown)?;
        let state = self.subnets.get_mut(&subnet).ok_or_else(unknown)?;
        create_for(state, &context, CYCLES_MINTING, settings, cycles)
            .map_err(|error| error.description)
    }

    fn deposit(&mut self, canister: Principal, cycles: u128) -> Result<(), (RejectCode, String)> {
        self.add_cycles(&canister, cycles).map(drop).map_err(|_| {
            let error = UserError::canister_not_found_dot(canister);
            (error.reject_code(), error.description)
        })
    }
}

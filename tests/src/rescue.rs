//! The rescue canister through its interface, as its controller uses it.

use crate::{World, wasms};
use candid::utils::ArgumentEncoder;
use candid::{CandidType, Principal};
use rescue_api::{Answer, CaseId, CaseView, InitArgs, OpenCaseArgs, Refusal, methods};
use serde::Deserialize;

/// An installed rescue canister.
#[derive(Clone, Copy, Debug)]
pub struct Rescue {
    /// Its id.
    pub canister: Principal,
}

impl Rescue {
    /// Installs rescue, controlled by the operator.
    pub fn install(world: &World) -> Rescue {
        let arg = candid::encode_args((None::<InitArgs>,)).unwrap();
        Rescue {
            canister: world.install(wasms::load("rescue"), arg),
        }
    }

    /// Makes rescue a controller of `patient`, beside the operator.
    pub fn take_control_of(&self, world: &World, patient: Principal) {
        world
            .pic
            .set_controllers(
                patient,
                Some(world.operator.principal),
                vec![world.operator.principal, self.canister],
            )
            .unwrap();
    }

    /// An update by the operator.
    pub fn update<In: ArgumentEncoder, Out: CandidType + for<'a> Deserialize<'a>>(
        &self,
        world: &World,
        method: &str,
        args: In,
    ) -> Result<Out, Refusal> {
        let answer: Answer<Out> = world
            .update(self.canister, world.operator.principal, method, args)
            .unwrap();
        answer
    }

    /// A query by the operator.
    pub fn query<In: ArgumentEncoder, Out: CandidType + for<'a> Deserialize<'a>>(
        &self,
        world: &World,
        method: &str,
        args: In,
    ) -> Result<Out, Refusal> {
        let answer: Answer<Out> = world
            .query(self.canister, world.operator.principal, method, args)
            .unwrap();
        answer
    }

    /// Opens a case.
    pub fn open(&self, world: &World, args: OpenCaseArgs) -> CaseView {
        self.update(world, methods::OPEN_CASE, (args,)).unwrap()
    }

    /// A case as it stands.
    pub fn case(&self, world: &World, case: CaseId) -> CaseView {
        self.query(world, methods::GET_CASE, (case,)).unwrap()
    }
}

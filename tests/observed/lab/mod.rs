//! A network under observation: does operations through the `pocket-ic` client and writes each down with its outcome.
//!
//! Nothing here asserts anything about the network; tests do.

mod calls;
mod outcome;
mod server;
mod snapshots;
mod transcript;

pub use calls::{KEEP_SKIP, PLAIN, REPLACE_SKIP, SKIP, install_args};
pub use outcome::{Outcome, refused, sha256};
pub use server::{Rules, Server, get, get_status, post, post_cbor};

use candid::Principal;
use pocket_ic::{PocketIc, PocketIcBuilder};
use std::cell::RefCell;
use transcript::Transcript;

/// A module with the name it has in transcripts.
#[derive(Clone, Debug)]
pub struct Module {
    /// What the transcript calls it.
    pub name: String,
    /// The bytes to install.
    pub bytes: Vec<u8>,
}

impl Module {
    /// Names some bytes.
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> Module {
        Module {
            name: name.into(),
            bytes,
        }
    }
}

/// One network with two application subnets, and what was done to it so far.
pub struct Lab {
    /// The client.
    pub pic: PocketIc,
    /// Which server it talks to.
    pub server: Server,
    /// Its subnets, the default one first.
    pub subnets: Vec<Principal>,
    transcript: RefCell<Transcript>,
}

impl Lab {
    fn new() -> Lab {
        let pic = PocketIcBuilder::new()
            .with_application_subnet()
            .with_application_subnet()
            .build();
        Lab::over(pic)
    }

    /// A lab over a network that exists.
    pub fn over(pic: PocketIc) -> Lab {
        let server = Server::recognise(&pic);
        let mut transcript = Transcript::default();
        let mut ranges: Vec<_> = pic
            .topology()
            .subnet_configs
            .iter()
            .map(|(id, config)| (config.canister_ranges[0].start.canister_id.clone(), *id))
            .collect();
        // Ranges are given out downwards: the default subnet comes last.
        ranges.sort_by(|a, b| b.cmp(a));
        let subnets: Vec<Principal> = ranges.into_iter().map(|(_, id)| id).collect();
        for (number, subnet) in subnets.iter().enumerate() {
            transcript.name(subnet.to_text(), format!("<subnet {number}>"));
        }
        Lab {
            pic,
            server,
            subnets,
            transcript: RefCell::new(transcript),
        }
    }

    /// Writes down one operation.
    fn note(&self, operation: String, outcome: &str) {
        self.transcript.borrow_mut().add(&operation, outcome);
    }

    /// The name a canister has in the transcript.
    fn shown(&self, canister: Principal) -> String {
        self.transcript.borrow().mask(&canister.to_text())
    }
}

/// Makes the observation `fact` on a fresh network and settles its transcript.
pub fn observe(module_path: &str, fact: &str, observation: impl FnOnce(&Lab)) {
    let lab = Lab::new();
    observation(&lab);
    let topic = module_path.rsplit("::").next().unwrap();
    lab.transcript.borrow().settle(lab.server, topic, fact);
}

/// Facts: each becomes a test of its name with a lab of its own.
macro_rules! facts {
    ($($(#[$attribute:meta])* fn $name:ident($lab:ident) $body:block)*) => {
        $(
            $(#[$attribute])*
            #[test]
            fn $name() {
                crate::lab::observe(module_path!(), stringify!($name), |$lab| $body);
            }
        )*
    };
}

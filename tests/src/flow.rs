//! The steps of a rescue as an operator takes them, in the order of the story.

use crate::cli::Cli;
use crate::ledger::Ledger;
use crate::rescue::Rescue;
use crate::{World, sha256, wasms};
use candid::Principal;
use std::path::{Path, PathBuf};

/// A patient, its rescue canister, and the backup directory of the case.
pub struct Flow<'a> {
    world: &'a World,
    patient: Principal,
    rescue: Rescue,
    directory: PathBuf,
    narrated: bool,
}

impl<'a> Flow<'a> {
    /// Installs rescue and hands it the patient.
    pub fn begin(world: &'a World, patient: Principal) -> Flow<'a> {
        let rescue = Rescue::install(world);
        rescue.take_control_of(world, patient);
        Flow {
            world,
            patient,
            rescue,
            directory: world.folder.path().join("backup"),
            narrated: false,
        }
    }

    /// Lets the CLI speak on the terminal from here on.
    pub fn narrated(mut self) -> Flow<'a> {
        self.narrated = true;
        self
    }

    fn run(&self, cli: &Cli) {
        if self.narrated {
            cli.show();
        } else {
            cli.succeed();
        }
    }

    /// The backup directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The rescue canister.
    pub fn rescue(&self) -> Rescue {
        self.rescue
    }

    /// `ic-rescue backup` over `network`, ready to run.
    pub fn backup_over(&self, network: &str) -> Cli {
        Cli::over(
            self.world,
            network,
            &[
                &"backup",
                &self.patient.to_text(),
                &"--output",
                &self.directory,
                &"--rescue",
                &self.rescue.canister.to_text(),
            ],
        )
    }

    /// Backs the patient up; the image on disk must be the patient's memory.
    pub fn backup(&self) {
        self.run(&self.backup_over(&self.world.url()));
        let image = std::fs::read(self.directory.join("stable_memory.bin")).unwrap();
        let memory = self.world.stable_memory(self.patient);
        assert_eq!(
            sha256(&image),
            sha256(&memory),
            "the image is not the patient's memory"
        );
    }

    /// `ic-rescue verify`: every byte on disk.
    pub fn verify(&self) {
        self.run(&Cli::offline(&[&"verify", &self.directory]));
    }

    /// Wipes the patient by a reinstall of the uploader and writes everything back, attested.
    pub fn wipe_and_restore(&self) {
        let before = sha256(&self.world.stable_memory(self.patient));
        self.run(&Cli::new(
            self.world,
            &[
                &"restore",
                &self.directory,
                &self.patient.to_text(),
                &"--wipe",
                &"--rescue",
                &self.rescue.canister.to_text(),
            ],
        ));
        let uploader = sha256(&wasms::load("uploader"));
        assert_eq!(self.world.module_hash(self.patient), Some(uploader));
        assert_eq!(sha256(&self.world.stable_memory(self.patient)), before);
    }

    /// Installs the module `name` through rescue, starts the patient and closes the case.
    pub fn install(&self, name: &str) {
        let file = wasms::folder().join(format!("{name}.wasm"));
        self.run(&Cli::new(
            self.world,
            &[
                &"install",
                &self.patient.to_text(),
                &"--module",
                &file,
                &"--rescue",
                &self.rescue.canister.to_text(),
            ],
        ));
        assert_eq!(
            self.world.module_hash(self.patient),
            Some(sha256(&wasms::load(name)))
        );
        self.run(&Cli::new(
            self.world,
            &[
                &"close",
                &self.patient.to_text(),
                &"--rescue",
                &self.rescue.canister.to_text(),
            ],
        ));
    }

    /// The ledger behind the patient's id.
    pub fn ledger(&self) -> Ledger {
        Ledger {
            canister: self.patient,
        }
    }
}

//! The rows: every step of a case, what leads up to it, and what it asks of the patient.

use super::hospital::Hospital;
use candid::Principal;
use candid::utils::ArgumentEncoder;
use rescue_api::{
    AttestArgs, CaseId, ChecksumArgs, CloseArgs, FinalModule, HeapChoice, InstallArgs, Memory,
    OpenCaseArgs, Pair, Plan, RollbackArgs, SnapshotPolicy, SwapArgs, SwapMemories, methods,
};
use serde_bytes::ByteBuf;
use tests::{sha256, tiny};

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    OpenCase,
    Stop,
    Snapshot,
    DownloaderKeep,
    DownloaderReplace,
    UploaderKeep,
    UploaderWipe,
    Start,
    Checksum,
    Attest,
    Install,
    Rollback,
    Close,
    Advance,
}

pub const ROWS: [Row; 14] = [
    Row::OpenCase,
    Row::Stop,
    Row::Snapshot,
    Row::DownloaderKeep,
    Row::DownloaderReplace,
    Row::UploaderKeep,
    Row::UploaderWipe,
    Row::Start,
    Row::Checksum,
    Row::Attest,
    Row::Install,
    Row::Rollback,
    Row::Close,
    Row::Advance,
];

/// A message to the rescue canister.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: &'static str,
    pub args: Vec<u8>,
}

fn request(method: &'static str, args: impl ArgumentEncoder) -> Request {
    Request {
        method,
        args: candid::encode_args(args).unwrap(),
    }
}

fn swap(case: CaseId, module: Pair, memories: SwapMemories) -> Request {
    let args = SwapArgs {
        case,
        module,
        memories,
        while_stopping: false,
    };
    request(methods::SWAP_IN, (args,))
}

fn checksum(case: CaseId) -> Request {
    let args = ChecksumArgs {
        case,
        memory: Memory::Stable,
        restart: false,
        batches_max: None,
    };
    request(methods::CHECKSUM, (args,))
}

pub fn step(method: &'static str, case: CaseId) -> Request {
    request(method, (case,))
}

pub fn rollback(case: CaseId) -> Request {
    let args = RollbackArgs {
        case,
        discard_newer_state: true,
    };
    request(methods::ROLLBACK, (args,))
}

pub fn open(patient: Principal) -> Request {
    let args = OpenCaseArgs {
        patient,
        final_module_hash: Some(ByteBuf::from(sha256(&tiny::healthy("final")))),
        snapshot: SnapshotPolicy::Take,
        plan: Plan {
            heap: HeapChoice::Keep,
            restore: false,
        },
    };
    request(methods::OPEN_CASE, (args,))
}

impl Row {
    /// The message that asks for the step.
    pub fn request(self, patient: Principal, case: CaseId) -> Request {
        match self {
            Row::OpenCase => open(patient),
            Row::Stop => step(methods::STOP, case),
            Row::Snapshot => step(methods::SNAPSHOT, case),
            Row::DownloaderKeep => swap(case, Pair::Downloader, SwapMemories::Keep),
            Row::DownloaderReplace => swap(case, Pair::Downloader, SwapMemories::ReplaceHeap),
            Row::UploaderKeep => swap(case, Pair::Uploader, SwapMemories::Keep),
            Row::UploaderWipe => swap(case, Pair::Uploader, SwapMemories::Wipe),
            Row::Start => step(methods::START, case),
            Row::Checksum => checksum(case),
            Row::Attest => {
                let args = AttestArgs {
                    case,
                    memory: Memory::Stable,
                    restart: false,
                    batches_max: None,
                };
                request(methods::ATTEST, (args,))
            }
            Row::Install => {
                let args = InstallArgs {
                    case,
                    module: FinalModule::Inline(ByteBuf::from(tiny::healthy("final"))),
                    heap: HeapChoice::Replace,
                    arg: ByteBuf::new(),
                    although_unattested: false,
                };
                request(methods::INSTALL, (args,))
            }
            Row::Rollback => rollback(case),
            Row::Close => {
                let args = CloseArgs {
                    case,
                    leave_as_is: false,
                    delete_snapshot: true,
                };
                request(methods::CLOSE, (args,))
            }
            Row::Advance => step(methods::ADVANCE, case),
        }
    }

    /// Steps before it; for `OpenCase` not even the case is opened.
    fn steps_before(self) -> &'static [Row] {
        match self {
            Row::OpenCase | Row::Stop => &[],
            Row::Snapshot => &[Row::Stop],
            Row::DownloaderKeep
            | Row::DownloaderReplace
            | Row::UploaderKeep
            | Row::Install
            | Row::Advance => &[Row::Stop, Row::Snapshot],
            Row::Start | Row::Rollback => &[Row::Stop, Row::Snapshot, Row::DownloaderKeep],
            Row::Checksum => &[Row::Stop, Row::Snapshot, Row::DownloaderKeep, Row::Start],
            Row::Attest => &[
                Row::Stop,
                Row::Snapshot,
                Row::DownloaderKeep,
                Row::Start,
                Row::Checksum,
            ],
            Row::UploaderWipe => &[
                Row::Stop,
                Row::Snapshot,
                Row::DownloaderKeep,
                Row::Start,
                Row::Checksum,
                Row::Stop,
            ],
            Row::Close => &[Row::Stop, Row::Snapshot, Row::Start],
        }
    }

    /// Whether the patient has to prepay cycles for it.
    pub fn is_prepaid(self) -> bool {
        !matches!(self, Row::OpenCase | Row::Stop | Row::Start | Row::Close)
    }

    /// Whether it puts another module in the place of the patient's own.
    pub fn replaces_own_module(self) -> bool {
        matches!(
            self,
            Row::DownloaderKeep | Row::DownloaderReplace | Row::UploaderKeep | Row::Install
        )
    }

    /// Brings a fresh patient to where the step can be asked for.
    pub fn prepare(self, hospital: &Hospital) -> (Principal, CaseId) {
        let patient = hospital.admit();
        if self == Row::OpenCase {
            return (patient, 0);
        }
        hospital.expect(&open(patient));
        let case = hospital.case_of(patient).expect("the case was opened");
        for row in self.steps_before() {
            hospital.expect(&row.request(patient, case));
        }
        (patient, case)
    }
}

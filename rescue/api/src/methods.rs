//! Names of the canister's methods: updates, then queries.

/// `(OpenCaseArgs) -> Answer<CaseView>`
pub const OPEN_CASE: &str = "open_case";
/// `(CaseId) -> Answer<CaseView>`
pub const STOP: &str = "stop";
/// `(CaseId) -> Answer<CaseView>`
pub const SNAPSHOT: &str = "snapshot";
/// `(SwapArgs) -> Answer<CaseView>`
pub const SWAP_IN: &str = "swap_in";
/// `(CaseId) -> Answer<CaseView>`
pub const START: &str = "start";
/// `(ChecksumArgs) -> Answer<ChecksumProgress>`; call again until `root` is there.
pub const CHECKSUM: &str = "checksum";
/// `(AttestArgs) -> Answer<AttestProgress>`; call again until `chunks_checked == chunks_total`.
pub const ATTEST: &str = "attest";
/// `(DeclareArgs) -> Answer<CaseView>`
pub const DECLARE: &str = "declare";
/// `(ModuleChunkArgs) -> Answer<StagedModule>`
pub const PUT_MODULE_CHUNK: &str = "put_module_chunk";
/// `(CaseId) -> Answer<StagedModule>`; drops all staged chunks.
pub const CLEAR_MODULE: &str = "clear_module";
/// `(InstallArgs) -> Answer<CaseView>`
pub const INSTALL: &str = "install";
/// `(RollbackArgs) -> Answer<CaseView>`
pub const ROLLBACK: &str = "rollback";
/// `(CaseId) -> Answer<CaseView>`; establishes the outcome of a call, looks at the patient.
pub const SETTLE: &str = "settle";
/// `(AcceptArgs) -> Answer<CaseView>`
pub const ACCEPT: &str = "accept";
/// `(CaseId) -> Answer<Advance>`
pub const ADVANCE: &str = "advance";
/// `(CloseArgs) -> Answer<CaseView>`
pub const CLOSE: &str = "close";
/// `(CaseId) -> Answer<()>`; removes a closed case with its evidence and journal.
pub const FORGET: &str = "forget";
/// `(Vec<Principal>) -> Answer<()>`
pub const SET_AUDITORS: &str = "set_auditors";

/// `(CaseId) -> Answer<CaseView>`, query
pub const GET_CASE: &str = "get_case";
/// `(first: CaseId, count: u32) -> Answer<Vec<CaseSummary>>`, query; cases from number `first` on.
pub const LIST_CASES: &str = "list_cases";
/// `(CaseId, Memory, first: u64, count: u64) -> Answer<blob>`, query: concatenated digests, 32 bytes
/// each, of at most 60,000 chunks a call; shorter (or empty) past the last one recorded.
pub const CHECKSUMS: &str = "checksums";
/// `(CaseId, first: u64, count: u32) -> Answer<Vec<JournalEntry>>`, query; at most 200 a call.
pub const JOURNAL: &str = "journal";
/// `() -> Answer<Vec<Principal>>`, query
pub const AUDITORS: &str = "auditors";
/// `(CaseId) -> Answer<CertifiedRoots>`, query, open to anyone
pub const CERTIFIED_ROOTS: &str = "certified_roots";
/// `() -> Modules`, query, open to anyone
pub const MODULES: &str = "modules";
/// `(HttpRequest) -> HttpResponse`, query, open to anyone
pub const HTTP_REQUEST: &str = "http_request";

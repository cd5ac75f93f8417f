//! The canister's surface, on one screen: guard, decode, delegate.

use candid::Principal;
use rescue_api::{
    AcceptArgs, Advance, Answer, AttestArgs, AttestProgress, CaseId, CaseSummary, CaseView,
    CertifiedRoots, ChecksumArgs, ChecksumProgress, CloseArgs, DeclareArgs, HttpRequest,
    HttpResponse, InitArgs, InstallArgs, JournalEntry, Memory, ModuleChunkArgs, Modules,
    OpenCaseArgs, RollbackArgs, StagedModule, SwapArgs,
};
use serde_bytes::ByteBuf;

use crate::case::model::Case;
use crate::ic::outstanding;
use crate::store::{cases, counters, settings};
use crate::view::{self, parse};
use crate::{guard, publication, queries, updates};

#[ic_cdk::init]
fn init(args: Option<InitArgs>) {
    settings::change(|settings| settings.installed_at = ic_cdk::api::time());
    configure(args);
}

#[ic_cdk::post_upgrade]
fn post_upgrade(args: Option<InitArgs>) {
    if let Err(why) = outstanding::check_none() {
        ic_cdk::api::trap(why);
    }
    settings::change(|settings| settings.upgraded_at = Some(ic_cdk::api::time()));
    configure(args);
}

fn configure(args: Option<InitArgs>) {
    if let Err(refusal) = updates::set_auditors::configure(args.unwrap_or_default()) {
        ic_cdk::api::trap(format!("refused: {refusal}"));
    }
    publication::publish_all();
}

#[ic_cdk::inspect_message]
fn inspect_message() {
    if guard::may_enter(&ic_cdk::api::msg_method_name()) {
        ic_cdk::api::accept_message();
    } else {
        ic_cdk::api::trap("only controllers of the rescue canister may call this");
    }
}

#[ic_cdk::update]
async fn open_case(args: OpenCaseArgs) -> Answer<CaseView> {
    let actor = guard::controller()?;
    done(updates::open_case::open_case(actor, args).await)
}

#[ic_cdk::update]
async fn stop(case: CaseId) -> Answer<CaseView> {
    let actor = guard::controller()?;
    done(updates::stop::stop(actor, case).await)
}

#[ic_cdk::update]
async fn snapshot(case: CaseId) -> Answer<CaseView> {
    let actor = guard::controller()?;
    done(updates::snapshot::snapshot(actor, case).await)
}

#[ic_cdk::update]
async fn swap_in(args: SwapArgs) -> Answer<CaseView> {
    let actor = guard::controller()?;
    let module = parse::pair(args.module);
    let memories = parse::memories(args.memories);
    let stopping = args.while_stopping;
    done(updates::swap_in::swap_in(actor, args.case, module, memories, stopping).await)
}

#[ic_cdk::update]
async fn start(case: CaseId) -> Answer<CaseView> {
    let actor = guard::controller()?;
    done(updates::start::start(actor, case).await)
}

#[ic_cdk::update]
async fn checksum(args: ChecksumArgs) -> Answer<ChecksumProgress> {
    let actor = guard::controller()?;
    let memory = parse::memory(args.memory);
    let batches = args.batches_max;
    counted(updates::checksum::checksum(actor, args.case, memory, args.restart, batches).await)
}

#[ic_cdk::update]
async fn attest(args: AttestArgs) -> Answer<AttestProgress> {
    let actor = guard::controller()?;
    let memory = parse::memory(args.memory);
    let batches = args.batches_max;
    counted(updates::attest::attest(actor, args.case, memory, args.restart, batches).await)
}

#[ic_cdk::update]
fn declare(args: DeclareArgs) -> Answer<CaseView> {
    let actor = guard::controller()?;
    done(updates::declare::declare(
        actor,
        args.case,
        &args.final_module_hash,
    ))
}

#[ic_cdk::update]
fn put_module_chunk(args: ModuleChunkArgs) -> Answer<StagedModule> {
    let actor = guard::controller()?;
    done(updates::module_chunks::put(actor, args)).map(|case| case.staged)
}

#[ic_cdk::update]
fn clear_module(case: CaseId) -> Answer<StagedModule> {
    let actor = guard::controller()?;
    done(updates::module_chunks::clear(actor, case)).map(|case| case.staged)
}

#[ic_cdk::update]
async fn install(args: InstallArgs) -> Answer<CaseView> {
    let actor = guard::controller()?;
    let heap = parse::heap(args.heap);
    let arg = args.arg.into_vec();
    let unattested = args.although_unattested;
    done(updates::install::install(actor, args.case, args.module, heap, arg, unattested).await)
}

#[ic_cdk::update]
async fn rollback(args: RollbackArgs) -> Answer<CaseView> {
    let actor = guard::controller()?;
    done(updates::rollback::rollback(actor, args.case, args.discard_newer_state).await)
}

#[ic_cdk::update]
async fn settle(case: CaseId) -> Answer<CaseView> {
    let actor = guard::controller()?;
    done(updates::settle::settle(actor, case).await)
}

#[ic_cdk::update]
async fn accept(args: AcceptArgs) -> Answer<CaseView> {
    let actor = guard::controller()?;
    done(updates::accept::accept(actor, args.case, args.total_num_changes).await)
}

#[ic_cdk::update]
async fn advance(case: CaseId) -> Answer<Advance> {
    let actor = guard::controller()?;
    counted(updates::advance::advance(actor, case).await)
}

#[ic_cdk::update]
async fn close(args: CloseArgs) -> Answer<CaseView> {
    let actor = guard::controller()?;
    let delete = args.delete_snapshot;
    done(updates::close::close(actor, args.case, args.leave_as_is, delete).await)
}

#[ic_cdk::update]
fn forget(case: CaseId) -> Answer<()> {
    guard::controller()?;
    counted(updates::forget::forget(case))
}

#[ic_cdk::update]
fn set_auditors(auditors: Vec<Principal>) -> Answer<()> {
    guard::controller()?;
    counted(updates::set_auditors::set_auditors(auditors))
}

#[ic_cdk::query]
fn get_case(case: CaseId) -> Answer<CaseView> {
    guard::auditor()?;
    cases::get(case).map(|case| view::case(&case))
}

#[ic_cdk::query]
fn list_cases(first: CaseId, count: u32) -> Answer<Vec<CaseSummary>> {
    guard::auditor()?;
    Ok(queries::list_cases::list_cases(first, count))
}

#[ic_cdk::query]
fn checksums(case: CaseId, memory: Memory, first: u64, count: u64) -> Answer<ByteBuf> {
    guard::auditor()?;
    queries::checksums::checksums(case, parse::memory(memory), first, count).map(ByteBuf::from)
}

#[ic_cdk::query]
fn journal(case: CaseId, first: u64, count: u32) -> Answer<Vec<JournalEntry>> {
    guard::auditor()?;
    queries::journal::journal(case, first, count)
}

#[ic_cdk::query]
fn auditors() -> Answer<Vec<Principal>> {
    guard::auditor()?;
    Ok(settings::get().auditors)
}

#[ic_cdk::query]
fn certified_roots(case: CaseId) -> Answer<CertifiedRoots> {
    queries::certified_roots::certified_roots(case)
}

#[ic_cdk::query]
fn modules() -> Modules {
    queries::modules::modules()
}

#[ic_cdk::query]
fn http_request(request: HttpRequest) -> HttpResponse {
    queries::http_request::http_request(&request)
}

/// What every update ends with: count refusals, certify what has changed.
fn counted<T>(answer: Answer<T>) -> Answer<T> {
    if answer.is_err() {
        counters::count(|counters| counters.refusals += 1);
    }
    publication::publish_changes();
    answer
}

fn done(answer: Answer<Case>) -> Answer<CaseView> {
    counted(answer).map(|case| view::case(&case))
}

#[cfg(test)]
candid::export_service!();

#[cfg(test)]
mod tests {
    use candid_parser::utils::{CandidSource, service_equal};

    #[test]
    fn the_interface_file_is_equal_to_the_code() {
        let code = super::__export_service();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/rescue.did"), &code).unwrap();
        }
        let file = include_str!("../rescue.did");
        service_equal(CandidSource::Text(&code), CandidSource::Text(file)).unwrap();
    }
}

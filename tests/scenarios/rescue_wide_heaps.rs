//! The rescue canister picks the module of the pair that can address the patient's heap.

use candid::Principal;
use rescue_api::{
    CaseId, CaseView, ChecksumArgs, ChecksumProgress, HeapChoice, Memory, Modules, OpenCaseArgs,
    Pair, Plan, RollbackArgs, SnapshotPolicy, SwapArgs, SwapMemories, methods,
};
use serde_bytes::ByteBuf;
use tests::rescue::Rescue;
use tests::{World, sha256, tiny, wasms};
use wire::limits::{GIB_BYTES, MIB_BYTES, PAGE_LEN_BYTES};

struct Ward {
    world: World,
    rescue: Rescue,
    patient: Principal,
    case: CaseId,
}

impl Ward {
    /// A case of a stopped patient whose module has 64-bit addresses, with a snapshot.
    fn open(heap_pages: u64) -> Ward {
        let world = World::new();
        let rescue = Rescue::install(&world);
        let patient = tiny::install(&world, tiny::patient(heap_pages, true), &[rescue.canister]);
        let opened = rescue.open(
            &world,
            OpenCaseArgs {
                patient,
                final_module_hash: None,
                snapshot: SnapshotPolicy::Take,
                plan: Plan {
                    heap: HeapChoice::Keep,
                    restore: false,
                },
            },
        );
        let ward = Ward {
            world,
            rescue,
            patient,
            case: opened.case,
        };
        ward.step(methods::STOP);
        ward.step(methods::SNAPSHOT);
        ward
    }

    fn step(&self, method: &str) -> CaseView {
        self.rescue
            .update(&self.world, method, (self.case,))
            .unwrap()
    }

    fn swap(&self, module: Pair) -> CaseView {
        let args = SwapArgs {
            case: self.case,
            module,
            memories: SwapMemories::Keep,
            while_stopping: false,
        };
        self.rescue
            .update(&self.world, methods::SWAP_IN, (args,))
            .unwrap()
    }

    fn hash_heap(&self) -> ChecksumProgress {
        let args = ChecksumArgs {
            case: self.case,
            memory: Memory::Heap,
            restart: false,
            batches_max: Some(1),
        };
        self.rescue
            .update(&self.world, methods::CHECKSUM, (args,))
            .unwrap()
    }

    fn first_digest(&self) -> Vec<u8> {
        let ask = (self.case, Memory::Heap, 0_u64, 1_u64);
        let digests: ByteBuf = self
            .rescue
            .query(&self.world, methods::CHECKSUMS, ask)
            .unwrap();
        digests.into_vec()
    }

    fn roll_back(&self) {
        let own = sha256(&tiny::patient(self.view().last_seen_pages(), true));
        let args = RollbackArgs {
            case: self.case,
            discard_newer_state: false,
        };
        let _: CaseView = self
            .rescue
            .update(&self.world, methods::ROLLBACK, (args,))
            .unwrap();
        assert_eq!(self.world.module_hash(self.patient), Some(own));
        self.step(methods::START);
        let live = self.world.pic.query_call(
            self.patient,
            self.world.operator.principal,
            "own",
            Vec::new(),
        );
        live.unwrap();
        let stable = self.world.stable_memory(self.patient);
        assert!(stable.starts_with(&tiny::contents()));
    }

    fn view(&self) -> CaseView {
        self.rescue.case(&self.world, self.case)
    }
}

trait Pages {
    fn last_seen_pages(&self) -> u64;
}

impl Pages for CaseView {
    fn last_seen_pages(&self) -> u64 {
        self.last_seen.heap_size_bytes / PAGE_LEN_BYTES
    }
}

#[test]
fn a_small_heap_of_a_64_bit_patient_is_kept_by_the_32_bit_pair() {
    let ward = Ward::open(tiny::FULL_PAGES);
    let view = ward.swap(Pair::Downloader);
    let expected = sha256(&wasms::load("downloader"));
    assert_eq!(view.last_seen.module_hash, Some(ByteBuf::from(expected)));
    ward.step(methods::START);
    let progress = ward.hash_heap();
    assert_eq!(progress.size_bytes, tiny::FULL_PAGES * PAGE_LEN_BYTES);
    assert_eq!(ward.first_digest(), sha256(&tiny::contents()));
    ward.step(methods::STOP);
    ward.roll_back();
}

#[test]
fn a_heap_above_4_gib_is_kept_by_the_64_bit_pair() {
    let pages = 4 * GIB_BYTES / PAGE_LEN_BYTES + 1;
    let ward = Ward::open(pages);
    let modules: Modules = ward
        .world
        .query(
            ward.rescue.canister,
            Principal::anonymous(),
            methods::MODULES,
            (),
        )
        .unwrap();
    let wide: Vec<ByteBuf> = modules
        .pair
        .into_iter()
        .filter(|module| module.memory64)
        .map(|module| module.module_hash)
        .collect();
    let view = ward.swap(Pair::Downloader);
    assert_eq!(view.last_seen.module_hash.as_ref(), Some(&wide[0]));
    assert_eq!(wide[0], sha256(&wasms::load("downloader64")));
    ward.step(methods::START);
    let progress = ward.hash_heap();
    assert_eq!(progress.size_bytes, pages * PAGE_LEN_BYTES);
    assert_eq!(progress.chunks_total, 4_097);
    let mut first_chunk = tiny::contents();
    first_chunk.resize(MIB_BYTES as usize, 0);
    assert_eq!(ward.first_digest(), sha256(&first_chunk));
    ward.step(methods::STOP);
    let view = ward.swap(Pair::Uploader);
    assert_eq!(view.last_seen.module_hash.as_ref(), Some(&wide[1]));
    ward.roll_back();
}

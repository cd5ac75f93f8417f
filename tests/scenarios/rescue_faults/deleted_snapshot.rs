//! A way back that someone has removed is none: the patient's own module stays until there is a new one.

use super::hospital::Hospital;
use super::rows::{self, Row};
use rescue_api::Refusal;
use tests::{sha256, tiny};

#[test]
fn the_own_module_is_not_replaced_when_someone_has_deleted_the_snapshot() {
    let hospital = Hospital::new();
    for row in [Row::DownloaderKeep, Row::UploaderKeep, Row::Install] {
        let (patient, case) = row.prepare(&hospital);
        let snapshot = hospital
            .view(case)
            .snapshot
            .expect("what leads up to the step takes one");
        hospital
            .world
            .pic
            .delete_canister_snapshot(patient, Some(hospital.operator()), snapshot.id.into_vec())
            .unwrap();

        let answer = hospital.ask(&row.request(patient, case)).unwrap();
        assert!(
            matches!(answer, Err(Refusal::SnapshotFirst)),
            "{row:?}: {answer:?}"
        );
        let own = sha256(&tiny::patient(tiny::FULL_PAGES, false));
        assert_eq!(hospital.world.module_hash(patient), Some(own), "{row:?}");
        let on_record = hospital.view(case).snapshot;
        assert!(on_record.is_some_and(|gone| gone.deleted), "{row:?}");

        hospital.expect(&rows::step(rescue_api::methods::SNAPSHOT, case));
        hospital.expect(&row.request(patient, case));
    }
}

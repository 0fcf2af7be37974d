use replay::storage::memory::MemoryStorage;

use super::*;

const FOLDER: &str = "/run/checkpoints";

fn checkpoint(step: u64) -> Checkpoint {
    Checkpoint {
        learner_step: LearnerStep(step),
        policy_version: PolicyVersion(step / 50),
        env_steps: step / 4,
        records: Some(step / 3),
        config_hash: "hash".into(),
        train_state: (0..200).collect(),
    }
}

fn saved(storage: &MemoryStorage, step: u64) -> PathBuf {
    save(storage, Path::new(FOLDER), &checkpoint(step)).unwrap()
}

fn found(storage: &MemoryStorage) -> Found {
    newest(storage, Path::new(FOLDER)).unwrap()
}

#[test]
fn the_newest_of_several_comes_back_and_old_ones_go() {
    let storage = MemoryStorage::default();
    (1..=5).for_each(|step| drop(saved(&storage, step * 9)));
    assert_eq!(found(&storage).newest.unwrap().1, checkpoint(45));
    assert_eq!(files(&storage, Path::new(FOLDER)).unwrap().len(), KEEP);
}

#[test]
fn a_checkpoint_cut_anywhere_or_changed_anywhere_is_refused_and_the_one_before_taken() {
    let storage = MemoryStorage::default();
    saved(&storage, 1);
    let path = saved(&storage, 2);
    let whole = storage.contents(&path).unwrap();
    let check = |bytes: &[u8]| {
        storage.put(&path, bytes.to_vec());
        let found = found(&storage);
        assert_eq!(found.newest.unwrap().1, checkpoint(1));
        assert!(found.broken[0].to_string().contains("step-0000000002"));
    };
    (0..whole.len()).for_each(|cut| check(&whole[..cut]));
    for place in (0..whole.len()).filter(|place| ![6, 7].contains(place)) {
        let mut changed = whole.clone();
        // Not the lowest bit, which would make version 2 a version 3 and 1 a 0.
        changed[place] ^= 4;
        check(&changed);
    }
}

#[test]
fn a_temporary_file_left_by_a_crash_is_no_checkpoint() {
    let storage = MemoryStorage::default();
    storage.put(&Path::new(FOLDER).join("step-0000000009.ckpt.tmp"), b"half".to_vec());
    let found = found(&storage);
    assert!(found.newest.is_none() && found.broken.is_empty());
}

#[test]
fn a_folder_that_is_not_there_holds_none() {
    let folder = tempfile::tempdir().unwrap();
    let found = newest(&replay::DiskStorage, &folder.path().join("checkpoints")).unwrap();
    assert!(found.newest.is_none() && found.broken.is_empty());
}

#[test]
fn a_file_of_version_1_is_read_and_does_not_say_how_many_records_it_saw() {
    let old = CheckpointV1 {
        learner_step: LearnerStep(40),
        policy_version: PolicyVersion(4),
        env_steps: 10,
        config_hash: "hash".into(),
        train_state: vec![1, 2, 3],
    };
    let bytes = sealed(1, &postcard::to_allocvec(&old).unwrap());
    let read = decode(&bytes).unwrap();
    assert_eq!((read.learner_step, read.records), (LearnerStep(40), None));
    assert_eq!(read.train_state, [1, 2, 3]);
}

#[test]
fn a_version_of_the_future_is_named() {
    let error = decode(&sealed(9, b"")).unwrap_err();
    assert_eq!(error, "it has version 9, this program reads up to 2");
}

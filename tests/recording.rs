//! What a run's recordings hold, read back as the viewer would.

use std::{collections::BTreeSet, path::Path};

use rerun::{
    dataframe::{ChunkStoreConfig, EntityPathFilter, QueryEngine},
    external::re_log_types::StoreKind,
};

use crate::support::Workplace;

/// Paths of all entities in a recording, and its id.
fn contents(path: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let engines = QueryEngine::from_rrd_filepath(&ChunkStoreConfig::DEFAULT, path).unwrap();
    let (mut entities, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for (id, engine) in engines {
        if id.kind() != StoreKind::Recording {
            continue;
        }
        ids.insert(id.recording_id().as_str().to_owned());
        let all = EntityPathFilter::all();
        entities.extend(engine.iter_entity_paths_sorted(&all).map(|path| path.to_string()));
    }
    (entities, ids)
}

#[test]
fn actor_and_learner_write_one_recording_with_everything_the_viewer_shows() {
    let workplace = Workplace::new();
    workplace.must(workplace.reins_on_run(&["train"], "seen"));
    let run = workplace.run("seen");
    let (actor, actor_ids) = contents(&run.file("actor.rrd"));
    let (learner, learner_ids) = contents(&run.file("learner.rrd"));
    assert_eq!(actor_ids, learner_ids, "one recording id, one timeline in the viewer");
    assert_eq!(actor_ids.len(), 1);
    let shown_by_actor = [
        "/camera/wrist",
        "/cell/arm",
        "/cell/target",
        "/cell/workspace",
        "/spans/driver",
        "/action/executed",
        "/action/proposed",
        "/reward",
        "/progress/success",
        "/progress/interventions",
        "/policy/lag",
        "/health/timing",
        "/health/queues",
    ];
    let shown_by_learner = [
        "/learner/values",
        "/learner/critic_loss",
        "/learner/actor_loss",
        "/learner/temperature",
        "/learner/updates_per_s",
        "/learner/utd_ratio",
    ];
    check(&actor, &shown_by_actor);
    check(&learner, &shown_by_learner);
}

fn check(found: &BTreeSet<String>, expected: &[&str]) {
    for entity in expected {
        assert!(found.iter().any(|path| path.starts_with(entity)), "no {entity} in {found:#?}");
    }
}

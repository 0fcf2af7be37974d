use half::f16;
use proptest::{collection::vec, prelude::*};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use wire::{Action, WeightsHash};

use super::*;
use crate::{
    Batch, FeatureError, FeatureRef, sample, symmetric_sample,
    test_support::{
        BACKBONE, CAMERAS, COMMANDED, FEATURE_DIM, Script, action, config, feature, frame, reward,
        tag,
    },
};

fn filled(records: &[Record]) -> ReplayStore {
    filled_with(config(), records)
}

fn filled_with(config: StoreConfig, records: &[Record]) -> ReplayStore {
    let mut store = ReplayStore::new(config);
    for record in records {
        assert_eq!(store.insert(record), Ok(Inserted::New), "{}", record.position);
    }
    store
}

fn store_of(episodes: &[&str]) -> ReplayStore {
    filled(&Script::default().records(episodes))
}

/// Which observation stands in a row, by its frames; its proprioception must agree.
fn seen(store: &ReplayStore, id: ObservationId) -> u32 {
    let pixels = store.frame(id, 0).pixels;
    let tag = u32::from_le_bytes([pixels[0], pixels[1], pixels[2], pixels[3]]);
    for camera in 0..CAMERAS {
        assert_eq!(store.frame(id, camera), frame(tag, camera));
    }
    assert_eq!(store.proprio(id), [tag as f32]);
    tag
}

/// `episode.index>episode.index` of the observations before and after each step of a view.
fn shown(store: &ReplayStore, view: View) -> String {
    let name = |id| {
        let tag = seen(store, id);
        format!("{}.{}", tag >> 12, tag & 0xfff)
    };
    let steps = store.view(view).iter().map(|&id| {
        let step = store.transition(id);
        format!("{}>{}", name(step.observation), name(step.next_observation))
    });
    steps.collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check_views(episodes: &[&str], demo: &str, online: &str) {
    let store = store_of(episodes);
    assert_eq!(shown(&store, View::Demo), demo, "demo view");
    assert_eq!(shown(&store, View::Online), online, "online view");
}

/// HIL-SERL, section 8.2 item 1 of the notes: there the first step of an intervention gets the
/// last frame of the previous intervention.
#[test]
fn an_intervention_begins_with_the_frame_before_it() {
    check_views(
        &["T pphhpph|"],
        "0.2>0.3 0.3>0.4 0.6>0.7",
        "0.0>0.1 0.1>0.2 0.2>0.3 0.3>0.4 0.4>0.5 0.5>0.6 0.6>0.7",
    );
}

/// The same defect across episodes: the human drove last in neither of them.
#[test]
fn an_intervention_does_not_begin_with_a_frame_of_the_episode_before() {
    check_views(&["T hp|", "T h|"], "0.0>0.1 1.0>1.1", "0.0>0.1 0.1>0.2 1.0>1.1");
}

/// LeRobot, section 1.7 (2) of the notes: there the last row of a burst is followed by the first
/// of the next one.
#[test]
fn an_intervention_ends_with_its_own_successor() {
    check_views(&["T hppph|"], "0.0>0.1 0.4>0.5", "0.0>0.1 0.1>0.2 0.2>0.3 0.3>0.4 0.4>0.5");
}

/// LeRobot, section 1.7 (1) of the notes: there a time limit is followed by the next episode's
/// reset frame.
#[test]
fn a_time_limit_is_followed_by_its_own_last_frame() {
    check_views(&["T pp|", "T p|"], "", "0.0>0.1 0.1>0.2 1.0>1.1");
}

/// LeRobot, section 1.7 (3) of the notes: there the newest row is followed by the oldest.
#[test]
fn the_newest_step_has_its_successor_at_once() {
    check_views(&["T p|", "T hp"], "1.0>1.1", "0.0>0.1 1.0>1.1 1.1>1.2");
}

#[test]
fn successful_demonstrations_alone_are_in_the_demo_view() {
    check_views(&["D hh+", "D hh-", "D h|", "D h~", "D h"], "0.0>0.1 0.1>0.2", "");
}

#[test]
fn a_demonstration_is_taken_back_and_kept_after_all() {
    check_views(&["D hh+x", "D h+"], "1.0>1.1", "");
    check_views(&["D hh+xk", "D h+"], "0.0>0.1 0.1>0.2 1.0>1.1", "");
    // What failed may be kept, and what is said twice counts once.
    check_views(&["D h-k", "D h+kk", "D h+xx"], "0.0>0.1 1.0>1.1", "");
    // The other actor's demonstration of the same number stays.
    let mut store = store_of(&["D h+"]);
    for record in (Script { actor: 1, ..Script::default() }).records(&["D h+x"]) {
        store.insert(&record).unwrap();
    }
    assert_eq!(shown(&store, View::Demo).matches('>').count(), 1);
}

#[test]
fn only_the_last_demonstration_is_revised_and_only_behind_its_end() {
    let cannot = |mut records: Vec<Record>, bad: Record, why: &str| {
        records.push(bad);
        let fresh = ReplayStore::new(config()).fresh(&records);
        let Err(InsertError::Malformed(malformed)) = fresh else { panic!("{why} was not said") };
        assert!(malformed.reason.contains(why), "{malformed}");
    };
    let revision = |episode, index| Record {
        actor: ActorId(0),
        position: RecordPosition { episode: EpisodeId(episode), index },
        body: RecordBody::Revision(Revision { outcome: wire::Outcome::Unknown }),
    };
    let script = |episodes: &[&str]| Script::default().records(episodes);
    cannot(script(&["T pp+"]), revision(0, 4), "only demonstrations");
    cannot(script(&["D hh"]), revision(0, 3), "behind its end");
    cannot(script(&["D hh+"]), revision(1, 0), "begins with its start");
    // Of an episode before: it is taken for one that has come already.
    let mut records = script(&["D hh+", "D h"]);
    records.push(revision(0, 4));
    assert_eq!(ReplayStore::new(config()).fresh(&records).unwrap().len(), records.len() - 1);
    // One that skips another is waited for.
    let mut records = script(&["D hh+"]);
    records.push(revision(0, 5));
    let gap = ReplayStore::new(config()).fresh(&records);
    assert!(matches!(gap, Err(InsertError::Gap { .. })), "{gap:?}");
}

#[test]
fn evaluation_is_in_no_view_and_takes_no_memory() {
    let store = store_of(&["E ppp+"]);
    assert_eq!((store.len(), store.observations(), store.env_steps()), (0, 0, 0));
    assert_eq!(store.episodes()[0].end.map(|end| end.outcome), Some(wire::Outcome::Success));
}

/// Whether the last step of an episode is terminated and truncated, and its bootstrap mask.
#[track_caller]
fn check_end(episode: &str, terminated: bool, truncated: bool, bootstrap_mask: f32) {
    let store = store_of(&[episode]);
    let last = store.transition(*store.view(View::Online).last().expect("one step"));
    let got = (last.terminated, last.truncated, last.bootstrap_mask());
    assert_eq!(got, (terminated, truncated, bootstrap_mask), "{episode}");
}

/// HIL-SERL, section 8.2 item 2 of the notes: there time-outs count as terminal.
#[test]
fn a_time_limit_bootstraps() {
    check_end("T pp|", false, true, 1.0);
}

#[test]
fn success_and_failure_do_not_bootstrap() {
    check_end("T pp+", true, false, 0.0);
    check_end("T pp-", true, false, 0.0);
}

#[test]
fn an_interrupted_episode_bootstraps_from_what_was_seen_last() {
    check_end("T pp~", false, true, 1.0);
}

/// What comes of inserting the records at these places of `"T pp|"`, one after the other.
#[track_caller]
fn check_arrivals(places: &[usize], expected: &[&str]) {
    let records = Script::default().records(&["T pp|", "T p|"]);
    let mut store = ReplayStore::new(config());
    let got: Vec<_> = places
        .iter()
        .map(|&at| match store.insert(&records[at]) {
            Ok(Inserted::New) => "new".to_owned(),
            Ok(Inserted::Duplicate) => "duplicate".into(),
            Ok(Inserted::Gap { expected_after: None }) => "gap at the beginning".into(),
            Ok(Inserted::Gap { expected_after: Some(p) }) => format!("gap after {}", p.index),
            Err(e) => e.to_string(),
        })
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn a_record_counts_once_however_often_it_comes() {
    check_arrivals(
        &[0, 0, 1, 0, 1, 2],
        &["new", "duplicate", "new", "duplicate", "duplicate", "new"],
    );
}

#[test]
fn a_missing_record_is_a_gap() {
    check_arrivals(&[1], &["gap at the beginning"]);
    check_arrivals(&[0, 2, 1, 2], &["new", "gap after 0", "new", "new"]);
}

#[test]
fn an_episode_is_left_only_through_its_end() {
    check_arrivals(&[0, 1, 4, 2, 3, 4], &["new", "new", "gap after 1", "new", "new", "new"]);
}

/// The error of inserting the last of `records`.
fn refusal(records: &[Record]) -> String {
    let (last, before) = records.split_last().expect("one record");
    let mut store = filled(before);
    let (len, through) = (store.len(), store.through(last.actor));
    let error = store.insert(last).expect_err("refused").to_string();
    assert_eq!((store.len(), store.through(last.actor)), (len, through), "nothing has changed");
    error
}

#[track_caller]
fn check_refused(episodes: &[&str], damage: impl FnOnce(&mut Record), reason: &str) {
    let mut records = Script::default().records(episodes);
    damage(records.last_mut().expect("one record"));
    let error = refusal(&records);
    assert!(error.contains(reason), "{error}");
}

fn step_of(record: &mut Record) -> &mut Step {
    match &mut record.body {
        RecordBody::Step(step) => step,
        _ => panic!("no step"),
    }
}

#[test]
fn records_that_cannot_be_are_refused_by_name() {
    check_refused(&["T pp"], |r| step_of(r).reward = f32::NAN, "reward is not finite");
    check_refused(
        &["T pp"],
        |r| step_of(r).executed_action = Action::zeros(3),
        "3 dimensions, not 2",
    );
    check_refused(
        &["T pp"],
        |r| step_of(r).commanded_action = Action::zeros(3),
        "3 dimensions, not 2",
    );
    check_refused(
        &["T pp"],
        |r| step_of(r).next_observation.proprio.clear(),
        "episode 0 record 2 of actor 0 cannot be: proprioception has 0 values, not 1",
    );
    check_refused(
        &["T pp|"],
        |r| {
            if let RecordBody::EpisodeEnd(end) = &mut r.body {
                end.steps = 3;
            }
        },
        "counts 3 steps, 2 came",
    );
}

#[test]
fn nothing_follows_the_step_that_closed_an_episode() {
    let script = Script::default();
    let mut records = script.records(&["T p|"]);
    records.truncate(2);
    records.push(script.records(&["T pp"])[2].clone());
    assert!(refusal(&records).contains("the step before it closed the episode"));
}

#[test]
fn nothing_follows_the_end_of_an_episode_in_it() {
    let script = Script::default();
    let mut records = script.records(&["T p~"]);
    records.push(script.records(&["T ppp"])[3].clone());
    assert!(refusal(&records).contains("the episode has ended"));
}

#[test]
fn a_full_store_refuses_and_stays_as_it_was() {
    let records = Script::default().records(&["E pp|", "T ppp|"]);
    let small = StoreConfig { max_observations: 3, ..config() };
    let mut store = filled_with(small, &records[..7]);
    assert_eq!(store.insert(&records[7]), Err(InsertError::Full { limit: 3 }));
    assert_eq!((store.len(), store.observations()), (2, 3));
}

#[test]
fn fresh_leaves_out_what_is_there_and_refuses_gaps() {
    let records = Script::default().records(&["T pp|", "T p|"]);
    let store = filled(&records[..2]);
    let fresh = store.fresh(&records).expect("no gap");
    assert_eq!(
        fresh.iter().map(|r| r.position).collect::<Vec<_>>(),
        records[2..].iter().map(|r| r.position).collect::<Vec<_>>()
    );
    assert!(matches!(store.fresh(&records[3..]), Err(InsertError::Gap { .. })));
}

#[test]
fn a_step_knows_what_its_gripper_was_told_before() {
    let mut records = Script::default().records(&["T pppp+", "T pp|"]);
    let steps = records.iter_mut().filter_map(|record| match &mut record.body {
        RecordBody::Step(step) => Some(step),
        _ => None,
    });
    for (step, command) in steps.zip([0.0, -1.0, 0.0, 1.0, -1.0, 0.0]) {
        step.executed_action = Action::from_slice(&[0.5, command]);
    }
    let store = filled_with(StoreConfig { grippers: 1, ..config() }, &records);
    let mut batch = Batch::default();
    batch.gather(&store, store.view(View::Online));
    assert_eq!(batch.gripper_before, [1.0, 1.0, -1.0, -1.0, 1.0, -1.0]);
}

fn with_features() -> StoreConfig {
    let spec = FeatureSpec { backbone: BACKBONE, dims: vec![FEATURE_DIM; CAMERAS], variants: 2 };
    StoreConfig { features: Some(spec), ..config() }
}

fn row(observation: u32, camera: usize, variant: usize) -> FeatureRef {
    FeatureRef { observation: ObservationId(observation), camera, variant }
}

#[test]
fn features_that_came_with_a_record_are_kept() {
    let script = Script { backbone: Some(BACKBONE), ..Script::default() };
    let store = filled_with(with_features(), &script.records(&["T p"]));
    let features = store.features().expect("configured");
    for (observation, camera) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        assert_eq!(
            features.get(row(observation, camera, 0)),
            Ok(&feature(observation, camera)[..])
        );
    }
    let lacking: Vec<_> = features.lacking().collect();
    assert_eq!(lacking, [row(0, 0, 1), row(0, 1, 1), row(1, 0, 1), row(1, 1, 1)]);
}

#[test]
fn features_of_another_backbone_are_never_mixed_in() {
    let script = Script { backbone: Some(WeightsHash([8; 32])), ..Script::default() };
    let mut store = filled_with(with_features(), &script.records(&["T p"]));
    let features = store.features_mut().expect("configured");
    assert_eq!(features.lacking().len(), 8);
    assert_eq!(features.get(row(0, 0, 0)), Err(FeatureError::Missing(row(0, 0, 0))));
    let foreign = features.set(row(0, 0, 0), WeightsHash([8; 32]), &[f16::ONE; FEATURE_DIM]);
    assert!(matches!(foreign, Err(FeatureError::Backbone { .. })));
    features.set(row(0, 0, 0), BACKBONE, &[f16::ONE; FEATURE_DIM]).expect("fits");
    assert_eq!(features.get(row(0, 0, 0)), Ok(&[f16::ONE; FEATURE_DIM][..]));
    assert_eq!(features.lacking().len(), 7);
    let mut gathered = Vec::new();
    let rows = [(ObservationId(0), 0), (ObservationId(1), 0)];
    let missing = features.gather(0, rows, &mut gathered);
    assert_eq!(missing, Err(FeatureError::Missing(row(1, 0, 0))));
}

#[test]
fn features_of_a_wrong_length_or_row_are_refused() {
    let mut store = filled_with(with_features(), &Script::default().records(&["T p"]));
    let features = store.features_mut().expect("configured");
    assert_eq!(
        features.set(row(0, 1, 0), BACKBONE, &[f16::ONE]),
        Err(FeatureError::Dim { camera: 1, expected: FEATURE_DIM, got: 1 })
    );
    for wrong in [row(2, 0, 0), row(0, 2, 0), row(0, 0, 2)] {
        assert_eq!(features.get(wrong), Err(FeatureError::NoSuchRow(wrong)));
    }
}

#[test]
fn a_batch_is_half_demonstrations_half_online() {
    let store = store_of(&["D hhh+", "T pppp|"]);
    let ids = symmetric_sample(&store, 64, &mut ChaCha8Rng::seed_from_u64(1));
    let kinds: Vec<_> = ids.iter().map(|id| store.transition(*id).kind).collect();
    assert!(kinds[..32].iter().all(|kind| *kind == EpisodeKind::Demonstration));
    assert!(kinds[32..].iter().all(|kind| *kind == EpisodeKind::Training));
    assert_eq!(ids.len(), 64);
}

#[test]
fn while_nothing_was_collected_online_a_batch_is_all_demonstrations() {
    let store = store_of(&["D hhh+"]);
    assert_eq!(symmetric_sample(&store, 7, &mut ChaCha8Rng::seed_from_u64(1)).len(), 7);
    let empty = ReplayStore::new(config());
    assert_eq!(symmetric_sample(&empty, 7, &mut ChaCha8Rng::seed_from_u64(1)), []);
}

#[test]
fn the_same_seed_draws_the_same_steps_and_every_step_is_drawn() {
    let store = store_of(&["T pppppppp|"]);
    let draw = |seed| sample(&store, View::Online, 400, &mut ChaCha8Rng::seed_from_u64(seed));
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
    let mut drawn = draw(3);
    drawn.sort();
    drawn.dedup();
    assert_eq!(drawn, store.view(View::Online));
}

/// One transition of the simple model: the observations' tags, and where it stands.
#[derive(Clone, Debug, PartialEq)]
struct Simple {
    actor: u16,
    position: RecordPosition,
    before: u32,
    after: u32,
    mask: f32,
}

/// What each view should hold, worked out per episode from its text.
fn model(actor: u16, episodes: &[String]) -> (Vec<Simple>, Vec<Simple>) {
    let (mut demo, mut online) = (Vec::new(), Vec::new());
    for (id, text) in (0..).zip(episodes) {
        let at = |index| RecordPosition { episode: EpisodeId(id), index };
        let ending = text.chars().last().expect("not empty");
        let steps = text[2..].chars().filter(|c| "ph".contains(*c)).count() as u32;
        for (index, who) in (1..=steps).zip(text[2..].chars()) {
            let terminal = index == steps && "+-".contains(ending);
            let step = Simple {
                actor,
                position: at(index),
                before: tag(actor, at(index - 1)),
                after: tag(actor, at(index)),
                mask: if terminal { 0.0 } else { 1.0 },
            };
            if text.starts_with('T') {
                online.push(step.clone());
            }
            if (text.starts_with('T') && who == 'h') || (text.starts_with('D') && ending == '+') {
                demo.push(step);
            }
        }
    }
    (demo, online)
}

fn stored(store: &ReplayStore, view: View) -> Vec<Simple> {
    let mut batch = Batch::default();
    batch.gather(store, store.view(view));
    let mut steps = Vec::new();
    for (i, &id) in store.view(view).iter().enumerate() {
        let step = store.transition(id);
        let simple = Simple {
            actor: step.actor.0,
            position: step.position,
            before: seen(store, step.observation),
            after: seen(store, step.next_observation),
            mask: batch.bootstrap_mask[i],
        };
        assert_eq!(step.action, action(simple.after));
        assert_eq!(batch.action[2 * i..2 * i + 2], action(simple.after));
        assert_eq!(batch.commanded_action[2 * i..2 * i + 2], COMMANDED);
        assert_eq!(batch.truncated[i], step.truncated);
        assert_eq!(batch.reward[i], reward(simple.after));
        assert_eq!(batch.proprio[i], simple.before as f32);
        assert_eq!(batch.next_proprio[i], simple.after as f32);
        assert_eq!(batch.observations[i], step.observation);
        assert_eq!(batch.next_observations[i], step.next_observation);
        steps.push(simple);
    }
    steps.sort_by_key(|step| (step.actor, step.position));
    steps
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    /// Random episodes of three actors, interleaved at random, with records sent again: every
    /// step is between its own two observations, and in the views it belongs to.
    #[test]
    fn the_store_agrees_with_a_simple_model(
        episodes in vec(vec("[DTE] [ph]{0,9}[+\\-|~]", 0..5), 3),
        turns in vec((0..3usize, 1..6usize, 0..3usize), 0..120),
    ) {
        let waiting: Vec<Vec<Record>> = (0..3u16)
            .zip(&episodes)
            .map(|(actor, texts)| {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                Script { actor, backbone: None }.records(&texts)
            })
            .collect();
        let mut sent = [0; 3];
        let mut store = ReplayStore::new(config());
        let rest = (0..3).map(|actor| (actor, usize::MAX, 0));
        for (actor, count, again) in turns.into_iter().chain(rest) {
            let from = sent[actor] - sent[actor].min(again);
            let to = sent[actor].saturating_add(count).min(waiting[actor].len());
            for (at, record) in (from..to).zip(&waiting[actor][from..to]) {
                let expected = if at < sent[actor] { Inserted::Duplicate } else { Inserted::New };
                prop_assert_eq!(store.insert(record), Ok(expected));
            }
            sent[actor] = to;
        }
        let (mut demo, mut online) = (Vec::new(), Vec::new());
        for (actor, texts) in (0..).zip(&episodes) {
            let (d, o) = model(actor, texts);
            demo.extend(d);
            online.extend(o);
        }
        prop_assert_eq!(stored(&store, View::Demo), demo);
        prop_assert_eq!(stored(&store, View::Online), online);
    }
}

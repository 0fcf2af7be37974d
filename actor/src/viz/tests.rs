//! A made-up session is recorded and read back. `REINS_KEEP_RECORDING=folder` keeps the file, to
//! be looked at in the viewer.

use std::{path::Path, time::Duration};

use nalgebra::{Isometry3, Translation3, UnitQuaternion};
use rerun::{
    dataframe::{
        ChunkStoreConfig, EntityPath, QueryEngine, QueryExpression, StorageEngine, TimelineName,
        external::arrow::{
            array::{Array, AsArray, ListArray},
            datatypes::Float64Type,
        },
    },
    external::re_log_types::StoreKind,
};
use wire::{
    Action, ActionSource, EpisodeEnd, EpisodeId, EpisodeKind, Frame, GateEvents, Outcome,
    PolicyVersion, Timestamp, UnixNanos,
};

use super::{layout, moment, *};
use crate::view_event::{ArmView, MomentView, PolicyLag, RecentView, StepTiming, StepView};

const PERIOD_NS: u64 = 100_000_000;

/// Makes events as a control loop would.
#[derive(Default)]
struct MadeUp {
    events: Vec<ViewEvent>,
    episode: u32,
    env_step: u64,
    now: u64,
    /// One for each arm.
    workspaces: Vec<([f64; 3], [f64; 3])>,
}

const WORKSPACE: ([f64; 3], [f64; 3]) = ([0.35, -0.15, 0.05], [0.65, 0.15, 0.35]);

impl MadeUp {
    fn moment(&self) -> MomentView {
        let start = 1_750_000_000_000_000_000;
        MomentView { cell: Timestamp(self.now), wall: UnixNanos(start + self.now) }
    }

    fn episode(
        &mut self,
        kind: EpisodeKind,
        steps: u32,
        human: std::ops::Range<u32>,
        success: bool,
    ) {
        let episode = EpisodeId(self.episode);
        let (env_step, at) = (self.env_step, self.moment());
        let frames = vec![picture(0.0, 0), picture(0.0, 1)];
        self.events.push(ViewEvent::EpisodeStart { episode, kind, env_step, frames, at });
        for index in 1..=steps {
            self.now += PERIOD_NS;
            self.env_step += u64::from(kind == EpisodeKind::Training);
            let progress = f64::from(index) / f64::from(steps);
            self.events.push(ViewEvent::Step(Box::new(StepView {
                source: if human.contains(&index) {
                    ActionSource::Human
                } else {
                    ActionSource::Policy
                },
                takeover: index == human.start && !human.is_empty(),
                human_action: None,
                reward: f32::from(u8::from(success && index == steps)),
                terminated: success && index == steps,
                truncated: !success && index == steps,
                ..step(episode, kind, index, self.env_step, self.moment(), progress)
            })));
        }
        let human_steps = human.len() as u32;
        self.events.push(ViewEvent::EpisodeEnd {
            episode,
            kind,
            env_step: self.env_step,
            end: EpisodeEnd {
                steps,
                outcome: if success { Outcome::Success } else { Outcome::Failure },
                truncation: None,
                human_steps,
                interventions: u32::from(human_steps > 0),
            },
            episode_return: f32::from(u8::from(success)),
            duration: Duration::from_nanos(PERIOD_NS * u64::from(steps)),
            recent: RecentView {
                success_autonomous: Some((self.episode as f32 / 30.0).min(1.0)),
                success_assisted: Some((0.6 - self.episode as f32 / 40.0).max(0.0)),
                intervention_rate: Some((0.5 - self.episode as f32 / 60.0).max(0.0)),
            },
            at: self.moment(),
        });
        self.episode += 1;
        self.now += 20 * PERIOD_NS;
    }

    fn record(self, path: &Path) -> VizReport {
        let settings = VizSettings {
            path: path.into(),
            application_id: "reins test".into(),
            recording_id: "made up".into(),
            cameras: vec!["front".into(), "wrist".into()],
            action_names: ["x", "y", "z", "turn"].map(String::from).into(),
            workspaces: self.workspaces,
            jpeg_quality: 85,
        };
        let (sender, receiver) = crossbeam_channel::bounded(self.events.len());
        for event in self.events {
            sender.send(event).unwrap();
        }
        drop(sender);
        run(&receiver, &settings).unwrap()
    }
}

fn step(
    episode: EpisodeId,
    kind: EpisodeKind,
    index: u32,
    env_step: u64,
    at: MomentView,
    progress: f64,
) -> StepView {
    let wobble = (f64::from(index) * 0.7 + f64::from(episode.0)).sin();
    let at_progress = |progress: f64| {
        let height = 0.30 - 0.2 * progress;
        let place = Translation3::new(0.42 + 0.1 * progress, 0.08 - 0.08 * progress, height);
        let turn = UnitQuaternion::from_euler_angles(std::f64::consts::PI, 0.0, 0.3 * wobble);
        Isometry3::from_parts(place, turn)
    };
    let (tcp_pose, target_pose) = (at_progress(progress), at_progress((progress + 0.1).min(1.0)));
    let tcp = tcp_pose.translation.vector;
    let small = |n: f64| (0.6 * (f64::from(index) * 0.2 + n).sin()) as f32;
    let action = Action::from_slice(&[small(0.0), small(1.0), small(2.0), wobble as f32]);
    let arm = ArmView {
        tcp_pose,
        target_pose,
        skeleton: vec![
            [0.0, 0.0, 0.0],
            [0.0, 0.0, 0.33],
            [0.18 * tcp.x, tcp.y * 0.3, 0.62],
            [tcp.x * 0.75, tcp.y * 0.8, 0.55],
            [tcp.x, tcp.y, tcp.z + 0.12],
            tcp.into(),
        ],
    };
    StepView {
        episode,
        kind,
        index,
        env_step,
        at,
        frames: vec![picture(progress, 0), picture(progress, 1)],
        proprio: Vec::new(),
        source: ActionSource::Policy,
        takeover: false,
        policy_version: PolicyVersion(u64::from(episode.0)),
        policy_lag: PolicyLag(u64::from(index % 50)),
        policy_action: Some(action.clone()),
        human_action: None,
        commanded_action: action.clone(),
        executed_action: action.clipped(),
        gate_events: if (30..34).contains(&index) {
            GateEvents::STEP
        } else {
            GateEvents::default()
        },
        reward: 0.0,
        judgement: wire::Judgement {
            probability: Some(progress as f32),
            ..wire::Judgement::default()
        },
        terminated: false,
        truncated: false,
        arms: vec![arm.clone(), arm],
        timing: StepTiming {
            observe: Duration::from_micros(900),
            encode: Duration::from_micros(12_000 + 100 * u64::from(index)),
            policy: Duration::from_micros(1500),
            judge: Duration::from_micros(300),
            total: Duration::from_micros(16_000 + 100 * u64::from(index)),
        },
        jitter: Duration::from_micros(u64::from(index * 37 % 400)),
        missed_deadlines: 0,
        outbox_depth: u64::from(index % 5),
        views_dropped: 0,
    }
}

fn picture(progress: f64, camera: usize) -> Frame {
    let size = 128_usize;
    let place = (progress * 90.0) as usize + 10;
    let pixels: Vec<u8> = (0..size * size)
        .flat_map(|i| {
            let (x, y) = (i % size, i / size);
            let on_peg = x.abs_diff(place) < 8 && y.abs_diff(20 + 30 * camera) < 20;
            let shade = (60 + x / 2 + y / 3) as u8;
            if on_peg { [200, 60, 40] } else { [shade, shade, (shade / 2) + 60] }
        })
        .collect();
    Frame::new(size as u16, size as u16, pixels).unwrap()
}

/// Three demonstrations and twenty training episodes of forty steps.
fn session() -> MadeUp {
    let mut session = MadeUp { workspaces: vec![WORKSPACE], ..MadeUp::default() };
    for _ in 0..3 {
        session.episode(EpisodeKind::Demonstration, 40, 1..41, true);
    }
    for i in 0..20 {
        let human = if i % 3 == 0 { 12..30 } else { 0..0 };
        session.episode(EpisodeKind::Training, 40, human, i % 4 != 1);
    }
    session
}

struct ReadBack {
    engine: QueryEngine<StorageEngine>,
}

impl ReadBack {
    fn open(path: &Path) -> Self {
        let stores = QueryEngine::from_rrd_filepath(&ChunkStoreConfig::DEFAULT, path).unwrap();
        let mut recordings = stores.into_iter().filter(|(id, _)| id.kind() == StoreKind::Recording);
        let (id, engine) = recordings.next().expect("the file holds a recording");
        assert_eq!(id.recording_id().as_str(), "made up");
        Self { engine }
    }

    /// The values of every row of `entity` on `timeline`.
    fn values(&self, entity: &str, timeline: &'static str) -> Vec<Vec<f64>> {
        let mut query = self.engine.query(expression(entity, timeline));
        let mut rows = Vec::new();
        for batch in query.batch_iter() {
            let column = batch.column_by_name(&format!("/{entity}:Scalars:scalars")).unwrap();
            let lists: &ListArray = column.as_list();
            rows.extend(
                (0..lists.len())
                    .map(|i| lists.value(i).as_primitive::<Float64Type>().values().to_vec()),
            );
        }
        rows
    }

    fn rows(&self, entity: &str, timeline: &'static str) -> u64 {
        self.engine.query(expression(entity, timeline)).num_rows()
    }
}

fn expression(entity: &str, timeline: &'static str) -> QueryExpression {
    QueryExpression {
        view_contents: Some([(EntityPath::from(entity), None)].into_iter().collect()),
        filtered_index: Some(TimelineName::from(timeline)),
        ..QueryExpression::default()
    }
}

fn recorded(session: MadeUp, check: impl FnOnce(&VizReport, &ReadBack)) {
    let folder = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("REINS_KEEP_RECORDING").map(PathBuf::from);
    let path = kept.as_deref().unwrap_or(folder.path()).join("actor.rrd");
    let report = session.record(&path);
    check(&report, &ReadBack::open(&path));
}

#[test]
fn every_step_is_in_the_recording_once() {
    recorded(session(), |report, back| {
        assert_eq!(*report, VizReport { steps: 920, episodes: 23, pictures_lost: 0 });
        let entities = [
            "camera/front",
            "camera/wrist",
            "cell/arm",
            "cell/tcp",
            layout::REWARD,
            layout::PROBABILITY,
        ];
        for entity in entities {
            assert_eq!(back.rows(entity, moment::CELL_TIME), 920, "{entity}");
            assert_eq!(back.rows(entity, moment::ENV_STEP), 800, "{entity}");
        }
        assert_eq!(back.rows(layout::SUCCESS, moment::ENV_STEP), 20);
        assert_eq!(back.rows(layout::CYCLE_STEPS, moment::CELL_TIME), 3 + 15);
    });
}

#[test]
fn the_second_of_two_arms_is_in_the_recording_too() {
    let both = MadeUp { workspaces: vec![WORKSPACE; 2], ..session() };
    recorded(both, |_, back| {
        for entity in ["cell/arm", "second/arm", "second/tcp", "second/target", "second/trail"] {
            assert_eq!(back.rows(entity, moment::CELL_TIME), 920, "{entity}");
        }
    });
}

#[test]
fn values_come_back_as_they_were() {
    recorded(session(), |_, back| {
        let rewards = back.values(layout::REWARD, moment::ENV_STEP);
        assert_eq!(rewards.iter().map(|row| row[0]).sum::<f64>(), 15.0);
        let success = back.values(layout::SUCCESS, moment::ENV_STEP);
        assert_eq!(success[0].len(), 2);
        assert!((success[0][0] - 0.1).abs() < 1e-6, "{success:?}");
        let actions = back.values(layout::EXECUTED, moment::ENV_STEP);
        assert!(actions.iter().all(|row| row.len() == 4));
    });
}

#[test]
fn spans_begin_where_the_driver_changes() {
    let mut session = MadeUp::default();
    session.episode(EpisodeKind::Training, 40, 12..30, true);
    recorded(session, |_, back| {
        // Policy, person, policy; the reset at the end shares the last step's place.
        assert_eq!(back.rows(layout::DRIVER, moment::ENV_STEP), 4);
        // Beginning and end.
        assert_eq!(back.rows(layout::OUTCOME, moment::ENV_STEP), 2);
    });
}

#[test]
fn an_episode_whose_start_was_dropped_is_still_shown() {
    let mut session = MadeUp::default();
    session.episode(EpisodeKind::Training, 40, 0..0, true);
    session.events.remove(0);
    recorded(session, |report, back| {
        assert_eq!(report.steps, 40);
        assert_eq!(back.rows(layout::REWARD, moment::ENV_STEP), 40);
    });
}

#[test]
fn a_file_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, receiver) = crossbeam_channel::bounded(1);
    drop(sender);
    let settings = VizSettings {
        path: folder.path().join("nowhere/actor.rrd"),
        application_id: "reins test".into(),
        recording_id: "made up".into(),
        cameras: Vec::new(),
        action_names: Vec::new(),
        workspaces: Vec::new(),
        jpeg_quality: 85,
    };
    let message = run(&receiver, &settings).unwrap_err().to_string();
    assert!(message.contains("nowhere/actor.rrd"), "{message}");
}

/// Says what a step costs: `cargo test -p actor cost_of -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn cost_of_a_step_in_the_recording() {
    use wire::{Clock, SystemClock};
    let folder = tempfile::tempdir().unwrap();
    let mut session = MadeUp::default();
    for _ in 0..100 {
        session.episode(EpisodeKind::Training, 40, 12..30, true);
    }
    let clock = SystemClock::new();
    let path = folder.path().join("actor.rrd");
    let report = session.record(&path);
    let ms = 1e3 * clock.now().as_secs_f64() / report.steps as f64;
    let bytes = std::fs::metadata(&path).unwrap().len() / report.steps;
    println!("{ms:.3} ms and {bytes} bytes per step, two pictures of 128x128 included");
}

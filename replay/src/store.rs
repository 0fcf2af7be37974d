//! Everything that is learned from, in memory: observations once each, the steps between them, and
//! two views of the steps. Built from records in the order in which they were written.
//!
//! A step refers to the observation before and the one after it; both are those of its own
//! episode, whatever other records came between. Episodes that no policy is
//! learned from (evaluations, labelled ones) are counted, not kept.

use std::collections::BTreeMap;

use thiserror::Error;
use wire::{
    ActionSource, ActionSpec, ActorId, EpisodeEnd, EpisodeId, EpisodeKind, EpisodeStart, Frame,
    GripperCommand, Observation, ObservationSpec, PolicyVersion, Record, RecordBody,
    RecordPosition, Revision, Step, action::gripper_entries,
};

use crate::{
    continuity::{Arrival, Continuity, Malformed},
    feature_store::{FeatureSpec, FeatureStore},
    frame_store::FrameStore,
    view::{View, Views},
};

/// An observation's row: the same in proprioception, frames and features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObservationId(pub u32);

/// A step's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransitionId(pub u32);

#[derive(Clone, Debug)]
pub struct StoreConfig {
    pub observation: ObservationSpec,
    pub action: ActionSpec,
    /// Grippers that are commanded by entries of an action; every episode begins with them open.
    pub grippers: usize,
    /// `None`: features that come with records are dropped.
    pub features: Option<FeatureSpec>,
    /// Bound of the memory used, in observations (steps plus one per episode).
    pub max_observations: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    New,
    Duplicate,
    /// Not inserted: something before it is missing.
    Gap {
        expected_after: Option<RecordPosition>,
    },
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InsertError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(
        "a record is missing: {got} of actor {actor} came, but nothing between it and {}",
        expected_after.map_or("the actor's beginning".into(), |p| p.to_string())
    )]
    Gap { actor: ActorId, got: RecordPosition, expected_after: Option<RecordPosition> },
    #[error(
        "the replay store holds {limit} observations, which is its bound: raise max_observations \
         or end the run"
    )]
    Full { limit: u32 },
}

/// One step, with the ids of what was seen before and after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition<'a> {
    pub observation: ObservationId,
    pub next_observation: ObservationId,
    /// What was executed, `[action_dim]`, in policy coordinates.
    pub action: &'a [f32],
    /// What the gate was asked for, same shape.
    pub commanded_action: &'a [f32],
    /// What each gripper had been told last before the step, as the entry of an action.
    pub gripper_before: &'a [f32],
    pub reward: f32,
    pub terminated: bool,
    /// Also true for the last step of an episode that ended without saying why.
    pub truncated: bool,
    pub source: ActionSource,
    pub policy_version: PolicyVersion,
    pub kind: EpisodeKind,
    pub actor: ActorId,
    pub position: RecordPosition,
}

impl Transition<'_> {
    /// 0 where the task terminated. Time limits and interruptions bootstrap.
    pub fn bootstrap_mask(&self) -> f32 {
        if self.terminated { 0.0 } else { 1.0 }
    }
}

/// What is known of an episode of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    pub actor: ActorId,
    pub id: EpisodeId,
    pub kind: EpisodeKind,
    pub seed: u64,
    /// Its steps in order; none for evaluation and labelling.
    pub transitions: Vec<TransitionId>,
    /// `None` while it goes on.
    pub end: Option<EpisodeEnd>,
}

#[derive(Debug)]
struct Row {
    observation: ObservationId,
    next_observation: ObservationId,
    reward: f32,
    terminated: bool,
    truncated: bool,
    source: ActionSource,
    policy_version: PolicyVersion,
    episode: u32,
    index: u32,
}

/// Where an actor stands in its open episode.
#[derive(Debug)]
struct Open {
    episode: u32,
    /// What was seen last; `None` where nothing is kept.
    seen: Option<ObservationId>,
    /// What each gripper was told last.
    told: Vec<GripperCommand>,
}

#[derive(Debug)]
pub struct ReplayStore {
    config: StoreConfig,
    continuity: Continuity,
    open: BTreeMap<ActorId, Open>,
    episodes: Vec<Episode>,
    rows: Vec<Row>,
    /// `[steps, action_dim]`
    actions: Vec<f32>,
    /// `[steps, action_dim]`
    commanded_actions: Vec<f32>,
    /// `[steps, grippers]`
    grippers_before: Vec<f32>,
    /// `[observations, proprio_dim]`
    proprio: Vec<f32>,
    observations: u32,
    frames: FrameStore,
    features: Option<FeatureStore>,
    views: Views,
}

impl ReplayStore {
    pub fn new(config: StoreConfig) -> Self {
        Self {
            continuity: Continuity::default(),
            open: BTreeMap::new(),
            episodes: Vec::new(),
            rows: Vec::new(),
            actions: Vec::new(),
            commanded_actions: Vec::new(),
            grippers_before: Vec::new(),
            proprio: Vec::new(),
            observations: 0,
            frames: FrameStore::new(&config.observation.cameras),
            features: config.features.clone().map(FeatureStore::new),
            views: Views::default(),
            config,
        }
    }

    /// Those of `records` that are new, when every one may be inserted: what to write to the
    /// journal before acknowledging. Inserts nothing.
    pub fn fresh<'a>(&self, records: &'a [Record]) -> Result<Vec<&'a Record>, InsertError> {
        let mut continuity = self.continuity.clone();
        let mut fresh = Vec::with_capacity(records.len());
        let (mut adding, mut kept) = (0, self.kept());
        for record in records {
            match continuity.accept(record)? {
                Arrival::New => {
                    self.check(record)?;
                    adding += observations_kept(record, &mut kept);
                    fresh.push(record);
                }
                Arrival::Duplicate => {}
                Arrival::Gap { expected_after } => {
                    let (actor, got) = (record.actor, record.position);
                    return Err(InsertError::Gap { actor, got, expected_after });
                }
            }
        }
        self.check_room(adding)?;
        Ok(fresh)
    }

    /// Takes in the next record of its actor. After an error the store is as it was.
    pub fn insert(&mut self, record: &Record) -> Result<Inserted, InsertError> {
        let mut continuity = self.continuity.clone();
        match continuity.accept(record)? {
            Arrival::New => {}
            Arrival::Duplicate => return Ok(Inserted::Duplicate),
            Arrival::Gap { expected_after } => return Ok(Inserted::Gap { expected_after }),
        }
        self.check(record)?;
        self.check_room(observations_kept(record, &mut self.kept()))?;
        self.continuity = continuity;
        match &record.body {
            RecordBody::EpisodeStart(start) => self.start(record, start),
            RecordBody::Step(step) => self.step(record, step),
            RecordBody::EpisodeEnd(end) => self.end(record, end),
            RecordBody::Revision(revision) => self.revise(record, *revision),
        }
        Ok(Inserted::New)
    }

    /// Which actors are in an episode that is kept.
    fn kept(&self) -> BTreeMap<ActorId, bool> {
        self.open.iter().map(|(actor, open)| (*actor, open.seen.is_some())).collect()
    }

    fn check_room(&self, adding: usize) -> Result<(), InsertError> {
        let limit = self.config.max_observations;
        if self.observations as usize + adding > limit as usize {
            return Err(InsertError::Full { limit });
        }
        Ok(())
    }

    /// Whether a record has the shapes of this run.
    fn check(&self, record: &Record) -> Result<(), Malformed> {
        let wrong = record
            .observation()
            .and_then(|observation| self.mismatch(observation))
            .or_else(|| match &record.body {
                RecordBody::Step(step) if !step.reward.is_finite() => {
                    Some("its reward is not finite".into())
                }
                RecordBody::Step(step) => {
                    let mismatch = |action| self.config.action.mismatch(action);
                    mismatch(&step.executed_action).or_else(|| mismatch(&step.commanded_action))
                }
                _ => None,
            });
        wrong.map_or(Ok(()), |reason| Err(Malformed::new(record, reason)))
    }

    fn mismatch(&self, observation: &Observation) -> Option<String> {
        let wrong = self.config.observation.mismatch(observation);
        wrong.or_else(|| {
            let spec = self.config.features.as_ref()?;
            let mut pairs = observation.features.iter().zip(&spec.dims);
            let (features, dim) =
                pairs.find(|(f, dim)| f.backbone == spec.backbone && f.values.len() != **dim)?;
            Some(format!("features have {} values, not {dim}", features.values.len()))
        })
    }

    fn start(&mut self, record: &Record, start: &EpisodeStart) {
        let kept = start.kind.is_learned_from();
        let seen = kept.then(|| self.add_observation(&start.observation));
        let episode = self.episodes.len() as u32;
        let told = vec![GripperCommand::Open; self.config.grippers];
        self.open.insert(record.actor, Open { episode, seen, told });
        self.episodes.push(Episode {
            actor: record.actor,
            id: record.position.episode,
            kind: start.kind,
            seed: start.seed,
            transitions: Vec::new(),
            end: None,
        });
    }

    fn step(&mut self, record: &Record, step: &Step) {
        let open = self.open.get_mut(&record.actor).expect("continuity: a start came before");
        let episode = open.episode;
        let Some(observation) = open.seen else { return };
        self.grippers_before.extend(open.told.iter().map(|told| told.entry()));
        let executed = step.executed_action.as_slice();
        let entries = gripper_entries(executed.len(), open.told.len());
        for (told, at) in open.told.iter_mut().zip(entries) {
            match GripperCommand::from_entry(executed[at]) {
                GripperCommand::Stay => {}
                command => *told = command,
            }
        }
        let next_observation = self.add_observation(&step.next_observation);
        if let Some(open) = self.open.get_mut(&record.actor) {
            open.seen = Some(next_observation);
        }
        let id = TransitionId(self.rows.len() as u32);
        self.rows.push(Row {
            observation,
            next_observation,
            reward: step.reward,
            terminated: step.terminated,
            truncated: step.truncated,
            source: step.source,
            policy_version: step.policy_version,
            episode,
            index: record.position.index,
        });
        self.actions.extend_from_slice(step.executed_action.as_slice());
        self.commanded_actions.extend_from_slice(step.commanded_action.as_slice());
        let episode = &mut self.episodes[episode as usize];
        episode.transitions.push(id);
        self.views.add_step(id, episode.kind, step.source);
    }

    fn end(&mut self, record: &Record, end: &EpisodeEnd) {
        let open = self.open.remove(&record.actor).expect("continuity: a start came before");
        let episode = &mut self.episodes[open.episode as usize];
        episode.end = Some(*end);
        if let Some(last) = episode.transitions.last() {
            let row = &mut self.rows[last.0 as usize];
            row.truncated |= !row.terminated;
        }
        self.views.end_episode(episode.kind, end.outcome, &episode.transitions);
    }

    /// Continuity has seen to it that the episode has ended and is its actor's last.
    fn revise(&mut self, record: &Record, revision: Revision) {
        let of_this = |episode: &&mut Episode| {
            (episode.actor, episode.id) == (record.actor, record.position.episode)
        };
        let Some(episode) = self.episodes.iter_mut().rev().find(of_this) else { return };
        let Some(end) = &mut episode.end else { return };
        let before = std::mem::replace(&mut end.outcome, revision.outcome);
        self.views.revise(before, revision.outcome, &episode.transitions);
    }

    fn add_observation(&mut self, observation: &Observation) -> ObservationId {
        let id = ObservationId(self.observations);
        self.observations += 1;
        self.proprio.extend_from_slice(&observation.proprio);
        self.frames.push(&observation.frames);
        if let Some(features) = &mut self.features {
            features.push(&observation.features);
        }
        id
    }

    pub fn continuity(&self) -> &Continuity {
        &self.continuity
    }

    /// The last record of `actor` that was inserted.
    pub fn through(&self, actor: ActorId) -> Option<RecordPosition> {
        self.continuity.through(actor)
    }

    pub fn view(&self, view: View) -> &[TransitionId] {
        match view {
            View::Demo => &self.views.demo,
            View::Online => &self.views.online,
        }
    }

    /// Training steps collected, by all actors.
    pub fn env_steps(&self) -> u64 {
        self.views.online.len() as u64
    }

    /// Steps stored, of demonstrations and training.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn observations(&self) -> u32 {
        self.observations
    }

    /// All episodes in the order in which they started.
    pub fn episodes(&self) -> &[Episode] {
        &self.episodes
    }

    /// Panics when `id` is not of this store.
    pub fn transition(&self, id: TransitionId) -> Transition<'_> {
        let row = &self.rows[id.0 as usize];
        let episode = &self.episodes[row.episode as usize];
        let dim = self.config.action.dim;
        let values = id.0 as usize * dim..(id.0 as usize + 1) * dim;
        let grippers = self.config.grippers;
        Transition {
            observation: row.observation,
            next_observation: row.next_observation,
            action: &self.actions[values.clone()],
            commanded_action: &self.commanded_actions[values],
            gripper_before: &self.grippers_before[id.0 as usize * grippers..][..grippers],
            reward: row.reward,
            terminated: row.terminated,
            truncated: row.truncated,
            source: row.source,
            policy_version: row.policy_version,
            kind: episode.kind,
            actor: episode.actor,
            position: RecordPosition { episode: episode.id, index: row.index },
        }
    }

    /// `[proprio_dim]`. Panics when `id` is not of this store.
    pub fn proprio(&self, id: ObservationId) -> &[f32] {
        let dim = self.config.observation.proprio_dim;
        &self.proprio[id.0 as usize * dim..][..dim]
    }

    /// Unpacks a frame. Panics when `id` or `camera` is not of this store.
    pub fn frame(&self, id: ObservationId, camera: usize) -> Frame {
        self.frames.get(id.0 as usize, camera)
    }

    pub fn features(&self) -> Option<&FeatureStore> {
        self.features.as_ref()
    }

    pub fn features_mut(&mut self) -> Option<&mut FeatureStore> {
        self.features.as_mut()
    }

    /// Memory that frames and features take.
    pub fn bytes(&self) -> usize {
        self.frames.bytes() + self.features.as_ref().map_or(0, FeatureStore::bytes)
    }
}

/// How many observations `record` adds to the store.
fn observations_kept(record: &Record, kept: &mut BTreeMap<ActorId, bool>) -> usize {
    if let RecordBody::EpisodeStart(start) = &record.body {
        kept.insert(record.actor, start.kind.is_learned_from());
    }
    let kept = kept.get(&record.actor).copied().unwrap_or_default();
    usize::from(kept && record.observation().is_some())
}

#[cfg(test)]
mod tests;

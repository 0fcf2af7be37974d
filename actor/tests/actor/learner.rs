//! A learner that only takes in records, says what it was told to say, and remembers everything.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use replay::{Arrival, Continuity};
use wire::{
    ActorId, ActorRequest, EpisodeKind, EpisodeStart, LearnerReply, LearnerStep, Outcome, Pace,
    PolicySnapshot, PolicyVersion, Record, RecordBody, RecordPosition, Refusal, Step, WeightsHash,
    Welcome,
    transport::{ActorLink, memory},
};

#[derive(Default)]
pub struct State {
    pub records: BTreeMap<RecordPosition, Record>,
    pub duplicates: usize,
    pub hellos: usize,
    pub goodbyes: usize,
    /// Hellos whose parameters get lost on their way.
    pub lose_parameters: usize,
    /// What it says once it has its demonstrations.
    pub pace: Pace,
    /// Successful demonstrations, of whatever actor, before training begins.
    pub demonstrations_wanted: u32,
    pub demonstrations: u32,
    /// Each hello raises the limit by so much.
    pub grant_per_hello: u64,
    pub refuse: Option<Refusal>,
    /// Newest version of the parameters.
    pub version: u64,
    /// Versions to publish when this many records are here.
    pub publish_at: Vec<(usize, u64)>,
    /// Takes records in but loses the answer, that many times.
    pub lose_answers: usize,
    /// Is gone once this many records are here.
    pub gone_after: Option<usize>,
    /// Training steps beyond what the pace allowed.
    pub beyond_pace: u64,
    continuity: Continuity,
}

#[derive(Clone)]
pub struct Learner {
    state: Arc<Mutex<State>>,
    link: memory::MemoryActorLink,
    actor: memory::MemoryLearnerLink,
}

impl Learner {
    pub fn new() -> Self {
        let (actor, link) = memory::pair();
        let learner = Self { state: Arc::default(), link, actor };
        let answering = learner.clone();
        learner
            .link
            .serve(Arc::new(move |request| answering.answer(request)))
            .expect("a memory link serves");
        learner
    }

    /// The actor's end of the link. What is broken about it, the state says.
    pub fn link(&self) -> Arc<FlakyLink> {
        Arc::new(FlakyLink { learner: self.clone() })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn publish(&self, version: u64) {
        let snapshot = PolicySnapshot {
            version: PolicyVersion(version),
            learner_step: LearnerStep(10 * version),
            backbone: WeightsHash([7; 32]),
            parameters: Arc::new([]),
        };
        self.link.publish_policy(&snapshot).expect("a memory link publishes");
    }

    fn answer(&self, request: ActorRequest) -> LearnerReply {
        let mut state = self.state();
        if let Some(refusal) = &state.refuse {
            return LearnerReply::Refused(refusal.clone());
        }
        match request {
            ActorRequest::Hello(_) => {
                state.hellos += 1;
                let grant = state.grant_per_hello;
                state.pace.env_step_limit = state.pace.env_step_limit.map(|limit| limit + grant);
                let through = state.continuity.through(ActorId(0));
                // As over zenoh: whoever says hello is given the newest parameters.
                match state.lose_parameters.checked_sub(1) {
                    None => self.publish(state.version),
                    Some(left) => state.lose_parameters = left,
                }
                LearnerReply::Welcome(Welcome { through, pace: state.pace() })
            }
            ActorRequest::Append(append) => {
                for record in append.records {
                    if let Err(refusal) = state.take(record) {
                        return LearnerReply::Refused(refusal);
                    }
                }
                let through = state.continuity.through(ActorId(0)).expect("records came");
                let (pace, count) = (state.pace(), state.records.len());
                let due: Vec<u64> =
                    state.publish_at.iter().filter(|d| d.0 <= count).map(|d| d.1).collect();
                state.publish_at.retain(|due| due.0 > count);
                for version in due {
                    state.version = version;
                    self.publish(version);
                }
                LearnerReply::Appended { through, pace }
            }
            ActorRequest::Goodbye(_) => {
                state.goodbyes += 1;
                LearnerReply::Farewell
            }
        }
    }
}

impl State {
    fn pace(&self) -> Pace {
        let wanted = self.demonstrations < self.demonstrations_wanted;
        let env_step_limit = if wanted { Some(0) } else { self.pace.env_step_limit };
        Pace { env_step_limit, ..self.pace }
    }

    fn take(&mut self, record: Record) -> Result<(), Refusal> {
        match self.continuity.accept(&record) {
            Ok(Arrival::New) => {}
            Ok(Arrival::Duplicate) => {
                self.duplicates += 1;
                return Ok(());
            }
            Ok(Arrival::Gap { expected_after }) => return Err(Refusal::Gap { expected_after }),
            Err(e) => return Err(Refusal::Mismatch(e.to_string())),
        }
        let training = match &record.body {
            RecordBody::Step(_) => self.kind(record.position) == EpisodeKind::Training,
            RecordBody::EpisodeEnd(end) => {
                let demonstrated = self.kind(record.position) == EpisodeKind::Demonstration
                    && end.outcome == Outcome::Success;
                self.demonstrations += u32::from(demonstrated);
                false
            }
            RecordBody::Revision(revision) => {
                let kept = self.is_kept(record.position);
                self.demonstrations -= u32::from(kept);
                self.demonstrations += u32::from(revision.outcome == Outcome::Success);
                false
            }
            RecordBody::EpisodeStart(_) => false,
        };
        self.pace.env_steps += u64::from(training);
        if training && self.pace.env_step_limit.is_some_and(|limit| self.pace.env_steps > limit) {
            self.beyond_pace += 1;
        }
        self.records.insert(record.position, record);
        Ok(())
    }

    /// Whether the demonstration counts that is revised at `position`.
    fn is_kept(&self, position: RecordPosition) -> bool {
        let before = self.records.range(..position).next_back();
        match before.map(|(_, record)| &record.body) {
            Some(RecordBody::EpisodeEnd(end)) => end.outcome == Outcome::Success,
            Some(RecordBody::Revision(revision)) => revision.outcome == Outcome::Success,
            other => panic!("{other:?} was revised"),
        }
    }

    fn kind(&self, position: RecordPosition) -> EpisodeKind {
        self.start(position).kind
    }

    fn start(&self, position: RecordPosition) -> &EpisodeStart {
        match &self.records[&RecordPosition::start_of(position.episode)].body {
            RecordBody::EpisodeStart(start) => start,
            other => panic!("an episode starts with {other:?}"),
        }
    }

    pub fn steps(&self) -> Vec<&Step> {
        let step = |record| match record {
            &Record { body: RecordBody::Step(ref step), .. } => Some(step),
            _ => None,
        };
        self.records.values().filter_map(step).collect()
    }
}

/// The memory link, broken where the learner's state says so.
pub struct FlakyLink {
    learner: Learner,
}

impl std::fmt::Debug for FlakyLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("flaky link")
    }
}

impl wire::transport::LearnerLink for FlakyLink {
    fn request(
        &self,
        request: &ActorRequest,
        timeout: std::time::Duration,
    ) -> Result<LearnerReply, wire::transport::LinkError> {
        {
            let state = self.learner.state();
            if state.gone_after.is_some_and(|count| state.records.len() >= count) {
                return Err(wire::transport::LinkError::NoAnswer(timeout));
            }
        }
        let reply = self.learner.actor.request(request, timeout)?;
        let mut state = self.learner.state();
        if matches!(request, ActorRequest::Append(_)) && state.lose_answers > 0 {
            state.lose_answers -= 1;
            return Err(wire::transport::LinkError::NoAnswer(timeout));
        }
        Ok(reply)
    }

    fn take_policy(&self) -> Option<PolicySnapshot> {
        self.learner.actor.take_policy()
    }

    fn pace(&self) -> Option<Pace> {
        self.learner.actor.pace()
    }

    fn state(&self) -> wire::transport::LinkState {
        self.learner.actor.state()
    }
}

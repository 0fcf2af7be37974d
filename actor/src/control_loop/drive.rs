//! One episode, from its first observation to its end.

use std::{sync::atomic::AtomicBool, time::Duration};

use drivers::EpisodeBrief;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tasks::{
    EpisodeRules,
    reward::{Evidence, Ruling},
};
use wire::{
    Action, ActionSource, EpisodeId, EpisodeKind, EpisodeStart, GripperCommand, Judgement, Mark,
    Observation, PolicyVersion, Record, RecordBody, RecordPosition, Step, Timestamp,
    TruncationCause, geometry::Pose, gripper_entries,
};

use super::{ControlLoop, WAIT_POLL};
use crate::{
    arbiter::{Choice, Hand, Handover},
    arms::{Motion, Side},
    episode::{Episode, Judged, StepSeen},
    error::ActorError,
    fault::Fault,
    outbox::NoRoom,
    senses::Seen,
    status::Activity,
    view_event::{ArmView, StepTiming, StepView, ViewEvent},
};

/// Keeps the draws of the policy apart from others that use the episode's seed.
const NOISE_STREAM: u64 = u64::from_le_bytes(*b"policy  ");

/// How an episode goes on.
enum Onward {
    Next(Seen),
    Over(Option<Fault>),
}

/// What drives a step.
struct Decision {
    choice: Choice,
    policy_action: Option<Action>,
    human_action: Option<Action>,
    /// How long the command of each arm may be followed, where its hand has a dead man's handle.
    lives: Vec<Option<Duration>>,
    policy_time: Duration,
}

impl ControlLoop {
    pub(super) fn episode(
        &mut self,
        kind: EpisodeKind,
        shutdown: &AtomicBool,
    ) -> Result<(), ActorError> {
        if !self.await_resume(shutdown) {
            return Ok(());
        }
        while self.gauge.is_full() {
            if self.must_end(shutdown) {
                return Ok(());
            }
            self.wait(Activity::WaitingForOutbox, "room in the outbox")?;
        }
        let episode = self.tally.progress.next_episode;
        let seed = episode_seed(self.config.seed, self.config.actor.0, episode);
        let brief = EpisodeBrief { episode, kind, seed };
        self.second_thoughts()?;
        let seen = self.reset(&brief, shutdown)?;
        self.operator_commands();
        self.second_thoughts()?;
        let Some(seen) = seen else { return Ok(()) };
        if kind == EpisodeKind::Demonstration && !self.wants_demonstration() {
            return Ok(());
        }
        self.drive(brief, seen, shutdown)
    }

    /// During the reset another actor may have given the last one, or it was kept after all.
    fn wants_demonstration(&self) -> bool {
        let (done, wanted) = (&self.tally.progress, &self.config.program);
        done.demonstrations < wanted.demonstrations && self.pace().demonstrations_wanted()
    }

    fn drive(
        &mut self,
        brief: EpisodeBrief,
        first: Seen,
        shutdown: &AtomicBool,
    ) -> Result<(), ActorError> {
        let mut episode = Episode::new(brief, EpisodeRules::new(&self.devices.task));
        self.begin(&mut episode, &first)?;
        let began = first.observation.captured_at;
        let mut noise = ChaCha8Rng::seed_from_u64(brief.seed);
        noise.set_stream(NOISE_STREAM);
        let mut seen = first;
        let fault = loop {
            if !self.await_pace(brief.kind, shutdown)? {
                episode.cut(TruncationCause::Interrupted);
                break None;
            }
            if let Some(cause) = self.pause_within(shutdown) {
                episode.cut(cause);
                break None;
            }
            self.take_policy();
            match self.step(&mut episode, seen, &mut noise, shutdown)? {
                Onward::Next(next) => seen = next,
                Onward::Over(fault) => break fault,
            }
        };
        self.close(&episode, began, fault)?;
        if brief.kind == EpisodeKind::Demonstration && self.config.review {
            self.review(brief.episode, &episode.end(), shutdown)?;
        }
        Ok(())
    }

    fn begin(&mut self, episode: &mut Episode, first: &Seen) -> Result<(), ActorError> {
        let EpisodeBrief { episode: id, kind, seed } = *episode.brief();
        episode.begin();
        self.noticed.began();
        self.devices.arms.forget_hands();
        self.arbiter.release();
        self.referee.begin();
        // The end and the mark that the operator asked for before the episode were not meant for it.
        self.operator_commands();
        self.asked.end = false;
        self.asked.mark = None;
        self.asked.verdict = None;
        self.revisable = None;
        let started_at = self.devices.clock.wall_now();
        let observation = first.observation.clone();
        let start = EpisodeStart { kind, seed, started_at, observation };
        let record = self.record(RecordPosition::start_of(id), RecordBody::EpisodeStart(start));
        self.deliver(record)?;
        let (env_step, at) = (self.tally.env_steps, self.moment());
        let frames = first.observation.frames.clone();
        self.view(|| ViewEvent::EpisodeStart { episode: id, kind, env_step, frames, at });
        self.show(Activity::Driving);
        self.pacer.restart(self.devices.clock.now());
        Ok(())
    }

    /// One policy decision and what comes of it.
    fn step(
        &mut self,
        episode: &mut Episode,
        before: Seen,
        noise: &mut ChaCha8Rng,
        shutdown: &AtomicBool,
    ) -> Result<Onward, ActorError> {
        let kind = episode.brief().kind;
        let started_at = self.devices.clock.now();
        let began = self.devices.host_clock.now();
        let asked_to_end = std::mem::take(&mut self.asked.end);
        let mark = self.asked.mark.take();
        let acted = self.decide(kind, started_at, &before, noise).and_then(|decision| {
            Ok((self.command(started_at, &decision.choice, &decision.lives)?, decision))
        });
        let (departures, decision) = match acted {
            Ok(acted) => acted,
            Err(fault) => return Ok(cut(episode, fault)),
        };
        let timing = StepTiming {
            observe: before.observe_time,
            encode: before.encode_time,
            policy: decision.policy_time,
            judge: before.judge_time,
            total: before.observe_time
                + before.encode_time
                + before.judge_time
                + self.devices.host_clock.now().since(began),
        };

        let deadline = self.pacer.next_deadline(self.devices.clock.now());
        self.devices.clock.sleep_until(deadline);
        self.pacer.began(self.devices.clock.now());

        // Without the true successor there is no step to record.
        let arrived = self.devices.arms.arrive(&departures);
        let arrived = arrived.and_then(|motion| Ok((motion, self.observe()?)));
        let (motion, mut next) = match arrived {
            Ok(arrived) => arrived,
            Err(fault) => return Ok(cut(episode, fault)),
        };
        let (ruling, unjudged) = self.rule(mark, &mut next);
        let fault = self.devices.arms.fault().or_else(|| self.storage_fault()).or(unjudged);
        let stop = if fault.is_some() {
            Some(TruncationCause::Fault)
        } else if self.must_end(shutdown) {
            Some(TruncationCause::Interrupted)
        } else {
            asked_to_end.then_some(TruncationCause::Operator)
        };
        let takeover = decision.choice.handover == Some(Handover::Takeover);
        let judged = episode.step(StepSeen {
            source: decision.choice.source,
            takeover,
            ruling,
            lost: self.devices.success.lost(),
            stop,
        });
        self.tally.env_steps += u64::from(kind == EpisodeKind::Training);
        self.status.timing = timing;
        self.status.episode_steps = episode.steps();

        let policy_version = match &decision.policy_action {
            Some(_) => self.policy_version().unwrap_or_default(),
            None => PolicyVersion::default(),
        };
        let judgement = ruling.judgement;
        self.view_step(episode, &decision, &motion, &next, (judged, judgement), policy_version);
        let step = Step {
            started_at,
            source: decision.choice.source,
            policy_version,
            policy_action: decision.policy_action,
            human_action: decision.human_action,
            commanded_action: decision.choice.action,
            executed_action: motion.executed,
            gate_events: motion.events,
            reward: judged.reward,
            judgement,
            terminated: judged.terminated,
            truncated: judged.truncated,
            next_observation: next.observation.clone(),
        };
        self.hand_over(episode, step, judged, fault.as_ref())?;
        self.show(Activity::Driving);
        Ok(if judged.is_over() { Onward::Over(fault) } else { Onward::Next(next) })
    }

    /// What `next` is worth. The cell's sensor is asked whoever decides: what it saw is written down.
    /// A classifier that fails ends the episode; what it might have seen is not guessed.
    fn rule(&mut self, word: Option<Mark>, next: &mut Seen) -> (Ruling, Option<Fault>) {
        let sensed = self.devices.success.sees();
        let pressed = self.devices.arms.mark();
        let began = self.devices.host_clock.now();
        let judged =
            self.devices.judge.as_mut().map(|judge| judge.judge(&next.observation.features));
        next.judge_time = self.devices.host_clock.now().since(began);
        let (probabilities, fault) = match judged {
            None => (None, None),
            Some(Ok(probabilities)) => (Some(probabilities), None),
            Some(Err(e)) => {
                (None, Some(Fault::PolicyFailed(format!("the reward classifier: {e}"))))
            }
        };
        let ruling = self.referee.rule(Evidence {
            sensed,
            mark: word.or(pressed),
            probabilities: probabilities.as_deref(),
            tcp_pose: next.first_tcp_pose(),
        });
        (ruling, fault)
    }

    /// Gives the step to the recorder. An episode that goes on waits for nothing; one that is over
    /// holds the arm first and then waits for room.
    fn hand_over(
        &mut self,
        episode: &Episode,
        step: Step,
        judged: Judged,
        fault: Option<&Fault>,
    ) -> Result<(), ActorError> {
        let EpisodeBrief { episode: id, .. } = *episode.brief();
        let position = RecordPosition { episode: id, index: episode.steps() };
        let record = self.record(position, RecordBody::Step(step));
        if judged.is_over() {
            self.sink.stage(&record);
            self.halt(fault);
            return self.deliver(record);
        }
        let refused = self.sink.offer(record, &*self.devices.host_clock)?;
        debug_assert!(refused.is_none(), "there was room before the step was judged");
        Ok(())
    }

    fn close(
        &mut self,
        episode: &Episode,
        began: Timestamp,
        fault: Option<Fault>,
    ) -> Result<(), ActorError> {
        self.halt(fault.as_ref());
        self.noticed.teleop = None;
        let EpisodeBrief { episode: id, kind, .. } = *episode.brief();
        let end = episode.end();
        let position = RecordPosition { episode: id, index: end.steps + 1 };
        let record = self.record(position, RecordBody::EpisodeEnd(end));
        self.deliver(record)?;
        self.tally.progress.ended(id, kind, end.outcome);
        self.recent.add(kind, end);
        self.status.recent = self.recent.view();
        if !fault.as_ref().is_some_and(|fault| fault.response().recovers()) {
            self.stops_in_a_row = 0;
        }
        self.log_gate(id);
        if let Some(fault) = fault {
            self.noticed.fault(&fault);
            self.status.faults.episodes += 1;
            tracing::warn!(episode = %id, steps = end.steps, "the episode was cut short: {fault}");
        }
        let (env_step, at, recent) = (self.tally.env_steps, self.moment(), self.status.recent);
        let episode_return = episode.episode_return();
        let duration = at.cell.since(began);
        self.view(|| ViewEvent::EpisodeEnd {
            episode: id,
            kind,
            env_step,
            end,
            episode_return,
            duration,
            recent,
            at,
        });
        tracing::info!(
            episode = %id, ?kind, outcome = ?end.outcome, steps = end.steps,
            human_steps = end.human_steps, env_steps = env_step,
            "an episode is over"
        );
        Ok(())
    }

    /// What the policy proposes, what the hand wants, and which of them drives.
    fn decide(
        &mut self,
        kind: EpisodeKind,
        now: Timestamp,
        before: &Seen,
        noise: &mut ChaCha8Rng,
    ) -> Result<Decision, Fault> {
        let (hand, mut lives) = self.hands(now, &before.tcp_poses);
        let human_action = match &hand {
            Hand::Engaged(action) => Some(action.clone()),
            Hand::Resting | Hand::Lost => None,
        };
        if kind.is_driven_by_a_person() {
            let dim = self.devices.task.action_spec().dim;
            let action = human_action.clone().unwrap_or_else(|| Action::zeros(dim));
            let choice = Choice { action, source: ActionSource::Human, handover: None };
            let policy_time = Duration::ZERO;
            return Ok(Decision { choice, policy_action: None, human_action, lives, policy_time });
        }
        let began = self.devices.host_clock.now();
        let proposed = self.propose(kind, &before.observation, noise)?;
        let policy_time = self.devices.host_clock.now().since(began);
        let choice = self.arbiter.choose(now, proposed.clone(), &hand);
        if choice.source == ActionSource::Policy {
            lives.clear();
        }
        Ok(Decision { choice, policy_action: Some(proposed), human_action, lives, policy_time })
    }

    fn propose(
        &mut self,
        kind: EpisodeKind,
        observation: &Observation,
        noise: &mut ChaCha8Rng,
    ) -> Result<Action, Fault> {
        let failed = |what: String| Fault::PolicyFailed(what);
        let drawn = match kind {
            EpisodeKind::Training => self.config.train_with_noise,
            EpisodeKind::Demonstration | EpisodeKind::Labelling | EpisodeKind::Evaluation => {
                self.config.evaluate_with_noise
            }
        };
        let action = match &mut self.policy {
            Some(policy) => policy
                .act(observation, drawn.then_some(noise))
                .map_err(|e| failed(e.to_string()))?
                .clipped(),
            None if self.config.program.explore => self.random_action(noise),
            None => return Err(failed("there is none".into())),
        };
        match self.devices.task.action_spec().mismatch(&action) {
            None => Ok(action),
            Some(what) => Err(failed(what)),
        }
    }

    /// Anywhere in the action space.
    fn random_action(&self, noise: &mut ChaCha8Rng) -> Action {
        let task = &self.devices.task;
        let dim = task.action_spec().dim;
        let mut entries: Vec<f32> = (0..dim).map(|_| noise.random_range(-1.0..=1.0)).collect();
        for entry in gripper_entries(dim, task.grippers()) {
            entries[entry] = GripperCommand::from_entry(entries[entry]).entry();
        }
        Action::from_slice(&entries)
    }

    /// What the person wants, and how long each arm may follow that.
    fn hands(&mut self, now: Timestamp, tcp_poses: &[Pose]) -> (Hand, Vec<Option<Duration>>) {
        let arms = &mut self.devices.arms;
        let hands = arms.hands(now, tcp_poses);
        let mut troubles = hands.iter().filter_map(|seen| seen.trouble.clone());
        self.status.faults.teleop_lost += troubles.clone().count() as u64;
        self.noticed.teleop = troubles.next_back();
        (arms.joined(&hands), hands.iter().map(|seen| seen.life).collect())
    }

    fn arm_views(&self, motion: &Motion, next: &Seen) -> Vec<ArmView> {
        let places = next.tcp_poses.iter().zip(&motion.targets);
        let sides = self.devices.arms.sides().iter().zip(places);
        let view = |(side, (tcp_pose, target_pose)): (&Side, (&Pose, &Pose))| ArmView {
            tcp_pose: *tcp_pose,
            target_pose: *target_pose,
            skeleton: side.gate.skeleton(),
        };
        sides.map(view).collect()
    }

    pub(super) fn observe(&mut self) -> Result<Seen, Fault> {
        let devices = &mut self.devices;
        devices.senses.observe(&devices.arms, &*devices.clock, &*devices.host_clock)
    }

    /// Whether the records of another step would find no room.
    fn storage_fault(&self) -> Option<Fault> {
        match self.gauge.no_room() {
            Some(NoRoom::Outbox) => Some(Fault::OutboxFull),
            Some(NoRoom::Disk) => Some(Fault::DiskFull),
            None => (!self.sink.has_room()).then_some(Fault::RecorderLate),
        }
    }

    /// Leaves a record behind, when there is room. A recorder that waits for the disk is waited for,
    /// and the operator is told.
    pub(super) fn deliver(&mut self, record: Record) -> Result<(), ActorError> {
        while !self.sink.has_room() && !self.hub.is_ending() {
            self.show(Activity::WaitingForOutbox);
            self.hub.wait(WAIT_POLL);
        }
        self.sink.deliver(record, &*self.devices.host_clock)
    }

    pub(super) fn record(&self, position: RecordPosition, body: RecordBody) -> Record {
        Record { actor: self.config.actor, position, body }
    }

    fn view_step(
        &mut self,
        episode: &Episode,
        decision: &Decision,
        motion: &Motion,
        next: &Seen,
        (judged, judgement): (Judged, Judgement),
        policy_version: PolicyVersion,
    ) {
        if self.devices.views.is_none() {
            return;
        }
        let punctuality = self.pacer.punctuality();
        let view = StepView {
            episode: episode.brief().episode,
            kind: episode.brief().kind,
            index: episode.steps(),
            env_step: self.tally.env_steps,
            at: self.moment(),
            frames: next.observation.frames.clone(),
            proprio: next.observation.proprio.clone(),
            source: decision.choice.source,
            takeover: decision.choice.handover == Some(Handover::Takeover),
            policy_version,
            policy_lag: self.policy_lag(),
            policy_action: decision.policy_action.clone(),
            human_action: decision.human_action.clone(),
            commanded_action: decision.choice.action.clone(),
            executed_action: motion.executed.clone(),
            gate_events: motion.events,
            reward: judged.reward,
            judgement,
            terminated: judged.terminated,
            truncated: judged.truncated,
            arms: self.arm_views(motion, next),
            timing: self.status.timing,
            jitter: punctuality.jitter,
            missed_deadlines: punctuality.missed,
            outbox_depth: self.gauge.depth(),
            views_dropped: self.status.views_dropped,
        };
        self.view(|| ViewEvent::Step(Box::new(view)));
    }
}

/// A fault before the step had a successor.
fn cut(episode: &mut Episode, fault: Fault) -> Onward {
    episode.cut(TruncationCause::Fault);
    Onward::Over(Some(fault))
}

/// Seed of everything random in an episode: the finaliser of SplitMix64 (Steele et al. 2014) over
/// run, actor and episode.
fn episode_seed(run: u64, actor: u16, episode: EpisodeId) -> u64 {
    let place = u64::from(actor) << 32 | u64::from(episode.0);
    let mut z = run.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

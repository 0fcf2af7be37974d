//! Drives the cell through the program, step by step. The same loop runs on a real clock and in
//! simulated time.
//!
//! Within an episode it touches no file, no network and no log line, and waits for nothing but the
//! next deadline and the learner's pace. (In lockstep the record sink does the rest of the work
//! within the step, which is what makes a run reproducible.)

mod drive;
mod motion;
mod pause;
mod reset;
mod review;
mod troubles;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender};
use drivers::{Fixture, GateCounts, StopKind, SuccessSensor};
use tasks::{TaskConfig, reward::Referee};
use wire::{Clock, EpisodeKind, Pace, PolicyVersion};

use crate::{
    arbiter::Arbiter,
    arms::Arms,
    config::{ActorConfig, OperatorCommand},
    error::ActorError,
    hub::Hub,
    outbox::OutboxGauge,
    pacer::Pacer,
    policy::{Judge, Policy},
    policy_feed::PolicySlot,
    recorder::RecordSink,
    schedule::{Next, Progress},
    senses::Senses,
    status::{Activity, Evaluations, Recent, Status, StatusSlot},
    view_event::{MomentView, PolicyLag, ViewEvent},
};

/// How long to wait for news before looking whether to end.
const WAIT_POLL: Duration = Duration::from_millis(20);
/// In lockstep a learner that gives nothing after so many questions never will.
const ASKS_MAX: u32 = 1000;

/// The parts that the control loop keeps.
pub struct Devices {
    pub clock: Arc<dyn Clock>,
    pub host_clock: Arc<dyn Clock>,
    pub arms: Arms,
    pub senses: Senses,
    pub fixture: Box<dyn Fixture>,
    pub success: Box<dyn SuccessSensor>,
    pub judge: Option<Box<dyn Judge>>,
    pub task: TaskConfig,
    pub views: Option<Sender<ViewEvent>>,
    pub operator: Option<Receiver<OperatorCommand>>,
    pub status: StatusSlot,
}

/// What was done when the loop ended.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    pub progress: Progress,
    pub env_steps: u64,
}

pub struct ControlLoop {
    config: ActorConfig,
    devices: Devices,
    sink: RecordSink,
    slot: PolicySlot,
    hub: Hub,
    gauge: OutboxGauge,
    arbiter: Arbiter,
    referee: Referee,
    policy: Option<Box<dyn Policy>>,
    pacer: Pacer,
    tally: Tally,
    status: Status,
    recent: Recent,
    noticed: troubles::Noticed,
    asked: pause::Asked,
    revisable: Option<review::Revisable>,
    /// Automatic recoveries of the arm since an episode went without.
    stops_in_a_row: u32,
    /// What the gate had done when it was logged last.
    gate_logged: GateCounts,
    /// Questions to a learner in lockstep since it last gave what was wanted.
    asks: u32,
}

impl Drop for ControlLoop {
    /// Whatever ends the loop, a panic included: the arms are stopped.
    fn drop(&mut self) {
        self.devices.arms.stop(StopKind::Controlled);
    }
}

impl ControlLoop {
    pub fn new(
        config: ActorConfig,
        devices: Devices,
        sink: RecordSink,
        slot: PolicySlot,
        hub: Hub,
        gauge: OutboxGauge,
    ) -> Self {
        Self {
            arbiter: Arbiter::new(config.arbiter.clone()),
            referee: Referee::new(
                &devices.task.reward,
                devices.judge.as_ref().map(|judge| judge.rule()),
            ),
            pacer: Pacer::new(devices.task.period(), devices.clock.now()),
            policy: None,
            tally: Tally { progress: Progress::default(), env_steps: 0 },
            status: Status::default(),
            recent: Recent::default(),
            noticed: troubles::Noticed::default(),
            asked: pause::Asked::default(),
            revisable: None,
            stops_in_a_row: 0,
            gate_logged: GateCounts::default(),
            asks: 0,
            config,
            devices,
            sink,
            slot,
            hub,
            gauge,
        }
    }

    /// Runs the program to its end, or until `shutdown` is set or another thread of the actor ends.
    pub fn run(mut self, shutdown: &AtomicBool) -> Result<Tally, ActorError> {
        let outcome = self.run_program(shutdown);
        let left = match &mut self.sink {
            RecordSink::Inline(courier) => courier.goodbye(self.devices.host_clock.now()),
            RecordSink::Channel(_) => Ok(()),
        };
        self.show(Activity::Draining);
        outcome.and(left).map(|()| self.tally)
    }

    fn run_program(&mut self, shutdown: &AtomicBool) -> Result<(), ActorError> {
        while self.hub.news().start.is_none() {
            if self.must_end(shutdown) {
                return Ok(());
            }
            self.wait(Activity::WaitingForLearner, "welcome")?;
        }
        let start = self.hub.news().start.expect("the loop above waits for it");
        self.tally = Tally { progress: start.progress, env_steps: start.env_steps };
        self.recall_demonstration();
        loop {
            if self.must_end(shutdown) {
                return Ok(());
            }
            self.take_policy();
            let (version, pace) = (self.policy_version(), self.pace());
            let env_steps = self.tally.env_steps.max(pace.env_steps);
            match self.config.program.next(&self.tally.progress, version, &pace, env_steps) {
                Next::Begin(kind) => {
                    self.asks = 0;
                    self.episode(kind, shutdown)?;
                }
                Next::AwaitPolicy(_) => self.wait(Activity::WaitingForPolicy, "policy")?,
                Next::Finished => return Ok(()),
            }
        }
    }

    fn must_end(&self, shutdown: &AtomicBool) -> bool {
        shutdown.load(Ordering::Relaxed) || self.hub.is_ending()
    }

    /// One turn of waiting for something that other threads bring. The cell's clock stands still
    /// where sleeping is what moves it; a real arm holds when its lease runs out.
    fn wait(&mut self, activity: Activity, wanted: &'static str) -> Result<(), ActorError> {
        self.show(activity);
        self.devices.arms.expect_pause();
        match &mut self.sink {
            RecordSink::Channel(_) => self.hub.wait(WAIT_POLL),
            RecordSink::Inline(courier) => {
                self.asks += 1;
                if self.asks > ASKS_MAX {
                    return Err(ActorError::Stalled { wanted });
                }
                courier.ask(self.devices.host_clock.now())?;
                // What is in the way ends with time, and here nobody else lets it pass.
                if self.gauge.is_full() || self.hub.news().link_trouble.is_some() {
                    let clock = &self.devices.clock;
                    clock.sleep_until(clock.now() + self.pacer.period());
                }
            }
        }
        Ok(())
    }

    /// Waits until the learner's pace allows another training step; `false` when the actor is to
    /// end instead. The arm stands still meanwhile, so what was observed still holds.
    fn await_pace(&mut self, kind: EpisodeKind, shutdown: &AtomicBool) -> Result<bool, ActorError> {
        if kind != EpisodeKind::Training || self.pace_allows() {
            return Ok(true);
        }
        self.status.pace_waits += 1;
        while !self.pace_allows() {
            if self.must_end(shutdown) {
                return Ok(false);
            }
            self.wait(Activity::WaitingForPace, "leave for another step")?;
        }
        self.asks = 0;
        self.pacer.restart(self.devices.clock.now());
        Ok(true)
    }

    /// With several actors the learner's count may be ahead of ours. A learner that has finished
    /// raises its limit no more: the episode may end.
    fn pace_allows(&self) -> bool {
        let pace = self.pace();
        let steps = self.tally.env_steps.max(pace.env_steps);
        pace.finished || pace.env_step_limit.is_none_or(|limit| steps < limit)
    }

    fn pace(&self) -> Pace {
        self.hub.pace().unwrap_or_default()
    }

    /// Between two steps: the newest parameters drive from here on.
    fn take_policy(&mut self) {
        let Some(policy) = self.slot.take() else { return };
        let version = policy.version();
        self.policy = Some(policy);
        let (lag, env_step, at) = (self.policy_lag(), self.tally.env_steps, self.moment());
        self.view(|| ViewEvent::Policy { version, lag, env_step, at });
    }

    fn policy_version(&self) -> Option<PolicyVersion> {
        self.policy.as_ref().map(|policy| policy.version())
    }

    fn policy_lag(&self) -> PolicyLag {
        let ours = self.policy.as_ref().map_or(0, |policy| policy.learner_step().0);
        PolicyLag(self.pace().learner_step.0.saturating_sub(ours))
    }

    fn moment(&self) -> MomentView {
        MomentView { cell: self.devices.clock.now(), wall: self.devices.clock.wall_now() }
    }

    /// Offers an event to the viewer, if there is one; a full channel drops and counts it.
    fn view(&mut self, event: impl FnOnce() -> ViewEvent) {
        if let Some(views) = &self.devices.views
            && views.try_send(event()).is_err()
        {
            self.status.views_dropped += 1;
        }
    }

    /// Brings the status up to date and publishes it.
    fn show(&mut self, activity: Activity) {
        let news = self.hub.news();
        self.status.troubles = self.troubles(activity, &news);
        let Tally { progress, env_steps } = self.tally;
        let status = &mut self.status;
        status.activity = activity;
        status.env_steps = env_steps;
        status.demonstrations = progress.demonstrations;
        status.kept = self.revisable.filter(|_| activity == Activity::Reviewing).map(|r| r.kept);
        status.evaluations = Evaluations {
            episodes: progress.evaluations,
            successes: progress.evaluation_successes,
        };
        status.punctuality = self.pacer.punctuality();
        status.outbox_depth = self.gauge.depth();
        status.gate = self.devices.arms.counts();
        status.faults.stale_frames = self.devices.senses.stale_frames();
        status.faults.unusable_policies = news.unusable_policies;
        status.link_trouble = news.link_trouble;
        status.link = news.link;
        self.status.policy_version = self.policy_version();
        self.status.policy_lag = self.policy_lag();
        self.devices.status.publish(&self.status);
    }
}

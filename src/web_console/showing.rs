//! From what the actor says to what the page shows.

use std::collections::VecDeque;

use actor::{Activity, Status, Trouble, ViewEvent, view_event::StepView};
use console::{ArmScene, Board, Driver, EpisodeScene, GateNote, Health, Rates, Scene, Series};
use wire::{
    ActionSource, Clock, EpisodeKind, GateEvents, SystemClock, geometry::Pose, transport::LinkState,
};

use super::curves::rates;
use crate::run_dir::Configuration;

/// Doings of the gate that are shown.
const GATE_NOTES: usize = 30;

pub struct Showing {
    board: Board,
    clock: SystemClock,
    demonstrations_wanted: u32,
    env_steps_wanted: u64,
    driver: Driver,
    arm: Option<ArmScene>,
    gate_notes: VecDeque<GateNote>,
    /// One per training episode.
    rates: Vec<Rates>,
    rates_shown: usize,
}

impl Showing {
    pub fn new(board: Board, configuration: &Configuration) -> Self {
        Self {
            board,
            clock: SystemClock::new(),
            demonstrations_wanted: configuration.run.budget.demo_episodes,
            env_steps_wanted: configuration.run.budget.env_steps,
            driver: Driver::Nobody,
            arm: None,
            gate_notes: VecDeque::new(),
            rates: Vec::new(),
            rates_shown: 0,
        }
    }

    pub fn see(&mut self, event: &ViewEvent) {
        match event {
            ViewEvent::EpisodeStart { frames, .. } => self.board.picture(frames.clone()),
            ViewEvent::Step(step) => self.step(step),
            ViewEvent::EpisodeEnd { kind, recent, .. } => {
                self.driver = Driver::Nobody;
                if *kind == EpisodeKind::Training {
                    self.rates.push(in_scene(recent));
                }
            }
            ViewEvent::Policy { .. } => {}
        }
    }

    fn step(&mut self, step: &StepView) {
        self.board.picture(step.frames.clone());
        self.driver = match step.source {
            ActionSource::Policy => Driver::Policy,
            ActionSource::Human => Driver::Human,
        };
        // Of two arms the first; the action is that of both.
        self.arm = step.arms.first().map(|arm| ArmScene {
            tcp_m: arm.tcp_pose.translation.vector.into(),
            tcp_deg: degrees(&arm.tcp_pose),
            target_m: arm.target_pose.translation.vector.into(),
            action: step.executed_action.as_slice().to_vec(),
        });
        self.note(step);
    }

    /// What lasts for several steps is one line, with the newest of them.
    fn note(&mut self, step: &StepView) {
        // Shaped by the profile is nearly every step.
        let names = step.gate_events.names();
        let (_, everyday) = GateEvents::NAMES
            .into_iter()
            .find(|(event, _)| *event == GateEvents::PROFILE)
            .expect("each event has a name");
        let events: Vec<_> = names.filter(|name| *name != everyday).collect();
        if events.is_empty() {
            return;
        }
        let note = GateNote { episode: step.episode.0, step: step.index, events };
        let goes_on = |last: &&mut GateNote| {
            last.episode == note.episode && last.events == note.events && last.step + 1 == note.step
        };
        if let Some(last) = self.gate_notes.back_mut().filter(goes_on) {
            last.step = note.step;
            return;
        }
        if self.gate_notes.len() == GATE_NOTES {
            self.gate_notes.pop_front();
        }
        self.gate_notes.push_back(note);
    }

    /// Training episodes before those that were seen.
    pub fn remember(&mut self, past: Vec<Rates>) {
        self.rates.splice(0..0, past);
    }

    /// The curves over training episodes, when another one has ended.
    pub fn new_rates(&mut self) -> Option<Vec<Series>> {
        if self.rates.len() == self.rates_shown {
            return None;
        }
        self.rates_shown = self.rates.len();
        Some(rates(&self.rates))
    }

    pub fn show(&self, status: &Status) {
        self.board.show(self.scene(status));
    }

    fn scene(&self, status: &Status) -> Scene {
        let kind = |kind| match kind {
            EpisodeKind::Demonstration => "demonstration",
            EpisodeKind::Training => "training",
            EpisodeKind::Evaluation => "evaluation",
            EpisodeKind::Labelling => "labelling",
        };
        let is_on_disk = |trouble: &&Trouble| {
            matches!(trouble, Trouble::OutboxFull | Trouble::DiskFull | Trouble::DiskSlow)
        };
        let stopped = status.activity == Activity::WaitingForOperator;
        let at_rest = stopped
            || matches!(
                status.activity,
                Activity::Resetting | Activity::Reviewing | Activity::Ended | Activity::Draining
            );
        Scene {
            activity: status.activity.to_string(),
            paused: status.activity == Activity::Paused,
            stopped,
            kept: status.kept,
            ended: status.activity == Activity::Ended,
            episode: status.kind.map(|of| EpisodeScene {
                number: status.episode.0,
                kind: kind(of).into(),
                steps: status.episode_steps,
            }),
            driver: if at_rest { Driver::Nobody } else { self.driver },
            demonstrations: status.demonstrations,
            demonstrations_wanted: self.demonstrations_wanted,
            env_steps: status.env_steps,
            env_steps_wanted: self.env_steps_wanted,
            evaluations: status.evaluations.episodes,
            arm: self.arm.clone(),
            rates: in_scene(&status.recent),
            policy_version: status.policy_version.map(|version| version.0),
            policy_lag: status.policy_lag.0,
            health: Health {
                link_connected: status.link == LinkState::Connected
                    && status.link_trouble.is_none(),
                link: status.link_trouble.clone().unwrap_or_else(|| status.link.to_string()),
                outbox_depth: status.outbox_depth,
                disk_trouble: status.troubles.iter().find(is_on_disk).map(ToString::to_string),
                step_ms: 1e3 * status.timing.total.as_secs_f64(),
                jitter_ms: 1e3 * status.punctuality.jitter.as_secs_f64(),
                missed_deadlines: status.punctuality.missed,
                views_dropped: status.views_dropped,
            },
            troubles: status.troubles.iter().map(ToString::to_string).collect(),
            gate_counts: status.gate.named().map(|(name, n)| (name.to_owned(), n)).collect(),
            gate_notes: self.gate_notes.iter().cloned().collect(),
            at_unix_ms: self.clock.wall_now().0 / 1_000_000,
        }
    }
}

fn in_scene(recent: &actor::view_event::RecentView) -> Rates {
    Rates {
        success_autonomous: recent.success_autonomous,
        success_assisted: recent.success_assisted,
        interventions: recent.intervention_rate,
    }
}

fn degrees(pose: &Pose) -> [f64; 3] {
    let (roll, pitch, yaw) = pose.rotation.euler_angles();
    [roll, pitch, yaw].map(f64::to_degrees)
}

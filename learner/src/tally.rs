//! Sums the figures of the updates between two lines of metrics.

use wire::Timestamp;

use crate::{
    metrics::{Metrics, UpdateTimings},
    update::UpdateInfo,
};

/// Figures of the updates since the last line of metrics.
#[derive(Debug, Default)]
pub struct Tally {
    updates: u64,
    critic_loss: f64,
    q: f64,
    target_q: f64,
    reward: f64,
    grasp_critic_loss: f64,
    last: Option<UpdateInfo>,
    last_full: Option<UpdateInfo>,
    sample_s: f64,
    critic_s: f64,
    actor_s: f64,
    pub publish_ms: f64,
    since: Option<Timestamp>,
}

impl Tally {
    pub fn add(&mut self, info: &UpdateInfo, sample_s: f64, update_s: f64) {
        self.updates += 1;
        self.critic_loss += f64::from(info.critic_loss);
        self.q += f64::from(info.q);
        self.target_q += f64::from(info.target_q);
        self.reward += f64::from(info.reward);
        self.grasp_critic_loss += info.grasp.map_or(0.0, |grasp| f64::from(grasp.loss));
        self.sample_s += sample_s;
        if info.actor.is_some() {
            self.actor_s += update_s;
            self.last_full = Some(*info);
        } else {
            self.critic_s += update_s;
        }
        self.last = Some(*info);
    }

    /// The line of metrics, and a fresh start.
    pub fn line(&mut self, now: Timestamp, env_steps: u64, step: u64, minutes: f64) -> Metrics {
        let n = self.updates.max(1) as f64;
        let mean = |sum: f64| (sum / n) as f32;
        let elapsed = self.since.map_or(0.0, |since| now.since(since).as_secs_f64());
        let ms = |seconds: f64| seconds * 1e3 / n;
        let busy = self.sample_s + self.critic_s + self.actor_s + self.publish_ms * 1e-3;
        let grasp = self.last.and_then(|info| info.grasp);
        let actor = self.last_full.and_then(|info| info.actor);
        let metrics = Metrics {
            env_steps,
            minutes,
            critic_loss: mean(self.critic_loss),
            mean_q: mean(self.q),
            target_q: mean(self.target_q),
            actor_loss: actor.map(|a| a.actor_loss),
            bc_loss: actor.map(|a| a.bc_loss),
            grasp_critic_loss: grasp.map(|_| mean(self.grasp_critic_loss)),
            temperature: self.last.map(|info| info.temperature),
            temperature_loss: actor.map(|a| a.temperature_loss),
            entropy: actor.map(|a| a.entropy),
            batch_reward: mean(self.reward),
            updates_per_s: if elapsed > 0.0 { n / elapsed } else { 0.0 },
            utd_reached: step as f64 / env_steps.max(1) as f64,
            timings: UpdateTimings {
                ingest_ms: 0.0,
                sample_ms: ms(self.sample_s),
                critic_ms: ms(self.critic_s),
                actor_ms: ms(self.actor_s),
                publish_ms: self.publish_ms / n,
                wait_ms: (elapsed - busy).max(0.0) * 1e3 / n,
            },
        };
        *self = Self { since: Some(now), ..Self::default() };
        metrics
    }
}

//! What the actor's threads tell each other besides records and parameters: the learner's welcome
//! and pace, and whether the link works. Every lock is held for a copy.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use wire::{Pace, transport::LinkState};

use crate::{outbox::Outbox, schedule::Progress, uplink::Turn};

/// Where the run stood when the learner first welcomed this actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    pub progress: Progress,
    /// Training steps of the run, those in the outbox included.
    pub env_steps: u64,
}

#[derive(Clone, Debug, Default)]
pub struct News {
    pub start: Option<Start>,
    pub pace: Option<Pace>,
    pub link_trouble: Option<String>,
    pub link: LinkState,
    pub unusable_policies: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    news: Mutex<News>,
    changed: Condvar,
    ending: AtomicBool,
}

impl Hub {
    pub fn news(&self) -> News {
        self.lock().clone()
    }

    pub fn pace(&self) -> Option<Pace> {
        self.lock().pace
    }

    /// Returns when something changed, or after a while.
    pub fn wait(&self, at_most: Duration) {
        let news = self.lock();
        // Whether it was news or time: the caller looks again either way.
        drop(self.0.changed.wait_timeout(news, at_most));
    }

    /// Some thread of the actor has failed or all is done: all others end.
    pub fn end(&self) {
        self.0.ending.store(true, Ordering::SeqCst);
        self.0.changed.notify_all();
    }

    pub fn is_ending(&self) -> bool {
        self.0.ending.load(Ordering::SeqCst)
    }

    /// What the uplink learned in one turn.
    pub fn note_turn(&self, turn: &Turn, outbox: &Outbox) {
        if matches!(turn, Turn::WaitUntil(_) | Turn::Idle) {
            return;
        }
        self.update(|news| match turn {
            Turn::Welcomed(welcome) => {
                news.link_trouble = None;
                news.pace = Some(welcome.pace);
                news.start.get_or_insert_with(|| Start {
                    progress: outbox.progress(),
                    env_steps: welcome.pace.env_steps
                        + outbox.training_steps_after(welcome.through),
                });
            }
            Turn::Acknowledged(_, pace) => {
                news.link_trouble = None;
                news.pace = Some(*pace);
            }
            Turn::Postponed(reason) | Turn::Failed(reason) => {
                news.link_trouble = Some(reason.clone());
            }
            Turn::WaitUntil(_) | Turn::Idle => {}
        });
    }

    /// A pace that the learner published by itself; it may be older than what a reply brought.
    pub fn note_pace(&self, pace: Pace) {
        let at = |pace: &Pace| (pace.learner_step, pace.env_steps);
        if self.pace().is_none_or(|known| known != pace && at(&known) <= at(&pace)) {
            self.update(|news| news.pace = Some(pace));
        }
    }

    /// Whether the learner is there, as the link sees it.
    pub fn note_link(&self, link: LinkState) {
        if self.lock().link != link {
            self.update(|news| news.link = link);
        }
    }

    pub fn note_unusable_policy(&self) {
        self.update(|news| news.unusable_policies += 1);
    }

    fn update(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.lock());
        self.0.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.0.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

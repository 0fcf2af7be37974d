//! Which steps belong to which view. A view is a list of indices; no step is stored twice.
//!
//! | step of                              | online view | demo view      |
//! |--------------------------------------|-------------|----------------|
//! | Training, policy drove               | at once     |                |
//! | Training, person drove               | at once     | at once        |
//! | Demonstration that ended in success  |             | at its end     |
//! | other Demonstration                  |             |                |
//! | Demonstration that was taken back    |             | no longer      |
//! | Demonstration that was kept after all|             | from then on   |
//! | Evaluation                           |             |                |
//!
//! Demonstrations are not in the online view: that is what was collected online. This is how the
//! reference fills its two buffers (HIL-SERL, section 3.4 of the paper), but for demonstrations
//! that failed, which it leaves to the operator to delete.

use wire::{ActionSource, EpisodeKind, Outcome};

use crate::store::TransitionId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Demo,
    Online,
}

#[derive(Debug, Default)]
pub(crate) struct Views {
    pub demo: Vec<TransitionId>,
    pub online: Vec<TransitionId>,
}

impl Views {
    pub fn add_step(&mut self, id: TransitionId, kind: EpisodeKind, source: ActionSource) {
        if kind == EpisodeKind::Training {
            self.online.push(id);
            if source == ActionSource::Human {
                self.demo.push(id);
            }
        }
    }

    /// A person takes a demonstration back or keeps it after all.
    pub fn revise(&mut self, before: Outcome, after: Outcome, steps: &[TransitionId]) {
        match (before == Outcome::Success, after == Outcome::Success) {
            (true, false) => self.demo.retain(|id| !steps.contains(id)),
            (false, true) => self.demo.extend_from_slice(steps),
            (true, true) | (false, false) => {}
        }
    }

    pub fn end_episode(&mut self, kind: EpisodeKind, outcome: Outcome, steps: &[TransitionId]) {
        if kind == EpisodeKind::Demonstration && outcome == Outcome::Success {
            self.demo.extend_from_slice(steps);
        }
    }
}

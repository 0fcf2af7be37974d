//! What the cell's own sensor saw in an episode that somebody else decided: so that the classifier's
//! mistakes can be counted. Never an input of anything that learns.

use wire::Judgement;
use wire::RewardSource;

#[derive(Clone, Copy, Debug, Default)]
pub struct Truth {
    sensed: Option<bool>,
    /// The task's own sensor decides: there is nothing to compare.
    own: bool,
}

impl Truth {
    pub fn add(&mut self, judgement: &Judgement) {
        self.own |= judgement.source == RewardSource::Task;
        self.sensed = self.sensed.max(judgement.sensed);
    }

    /// Whether the task was done at any moment; `None` where nobody looked, or the sensor decided.
    pub fn known(&self) -> Option<bool> {
        self.sensed.filter(|_| !self.own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: RewardSource, sensed: &[Option<bool>], known: Option<bool>) {
        let mut truth = Truth::default();
        for &sensed in sensed {
            truth.add(&Judgement { source, sensed, ..Judgement::default() });
        }
        assert_eq!(truth.known(), known);
    }

    #[test]
    fn success_at_any_moment_is_success() {
        use RewardSource::{Classifier, Person, Task};
        check(Classifier, &[Some(false), Some(true), Some(false)], Some(true));
        check(Person, &[Some(false), Some(false)], Some(false));
        check(Classifier, &[None, None], None);
        check(Task, &[Some(true)], None);
        check(Classifier, &[], None);
    }
}

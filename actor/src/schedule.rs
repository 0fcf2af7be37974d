//! Which episode comes next: episodes to label and demonstrations first, then training until the learner or the budget
//! says enough, then a measurement. Pure.

use wire::{EpisodeId, EpisodeKind, Outcome, Pace, PolicyVersion};

/// What a run is to do, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Episodes in which a person marks frames for a reward classifier.
    pub labelling: u32,
    /// Successful demonstrations that the run shall have.
    pub demonstrations: u32,
    pub training: Option<TrainingBudget>,
    /// Without a policy, training begins with actions drawn at random.
    pub explore: bool,
    /// Episodes in which the policy is measured at the end.
    pub evaluations: u32,
}

/// Training ends when the learner says so, or here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrainingBudget {
    /// Training steps of the run; `None` when the learner alone decides.
    pub env_steps_max: Option<u64>,
}

/// What this actor has done of it so far. Survives a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub next_episode: EpisodeId,
    /// Labelled episodes that came to their end.
    pub labelled: u32,
    /// Demonstrations that succeeded and were not taken back.
    pub demonstrations: u32,
    pub evaluations: u32,
    pub evaluation_successes: u32,
    /// The episode that ended last, if it is one.
    pub last_demonstration: Option<LastDemonstration>,
}

/// A demonstration that no other episode has followed: a person may take it back, or keep it after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastDemonstration {
    pub episode: EpisodeId,
    pub kept: bool,
}

impl Progress {
    /// An episode is over. What an operator or a fault cut short is done again.
    pub fn ended(&mut self, episode: EpisodeId, kind: EpisodeKind, outcome: Outcome) {
        self.next_episode = self.next_episode.max(episode.next());
        let kept = outcome == Outcome::Success;
        self.last_demonstration =
            (kind == EpisodeKind::Demonstration).then_some(LastDemonstration { episode, kept });
        match kind {
            EpisodeKind::Demonstration => self.demonstrations += u32::from(kept),
            EpisodeKind::Evaluation => {
                self.evaluations += u32::from(outcome != Outcome::Unknown);
                self.evaluation_successes += u32::from(outcome == Outcome::Success);
            }
            EpisodeKind::Labelling => self.labelled += u32::from(outcome != Outcome::Unknown),
            EpisodeKind::Training => {}
        }
    }

    /// A person's second thought. Only the last demonstration can be meant; heard again it changes
    /// nothing. Says whether anything changed.
    pub fn revised(&mut self, episode: EpisodeId, outcome: Outcome) -> bool {
        let kept = outcome == Outcome::Success;
        match &mut self.last_demonstration {
            Some(last) if last.episode == episode && last.kept != kept => last.kept = kept,
            _ => return false,
        }
        self.demonstrations = match kept {
            true => self.demonstrations + 1,
            false => self.demonstrations.saturating_sub(1),
        };
        true
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Begin(EpisodeKind),
    /// No parameters of at least this version are there yet.
    AwaitPolicy(PolicyVersion),
    Finished,
}

impl Program {
    /// `policy` is the version in hand, `env_steps` the training steps of the run, over all actors.
    pub fn next(
        &self,
        done: &Progress,
        policy: Option<PolicyVersion>,
        pace: &Pace,
        env_steps: u64,
    ) -> Next {
        if done.labelled < self.labelling {
            return Next::Begin(EpisodeKind::Labelling);
        }
        // Other actors may have given what this one has not.
        if done.demonstrations < self.demonstrations && pace.demonstrations_wanted() {
            return Next::Begin(EpisodeKind::Demonstration);
        }
        if let Some(budget) = &self.training
            && !pace.finished
            && budget.env_steps_max.is_none_or(|max| env_steps < max)
        {
            return match policy {
                Some(_) => Next::Begin(EpisodeKind::Training),
                None if self.explore => Next::Begin(EpisodeKind::Training),
                None => Next::AwaitPolicy(PolicyVersion::default()),
            };
        }
        if done.evaluations < self.evaluations {
            // What is measured are the parameters that training ended with.
            return match policy {
                Some(version) if version >= pace.policy_version => {
                    Next::Begin(EpisodeKind::Evaluation)
                }
                _ => Next::AwaitPolicy(pace.policy_version),
            };
        }
        Next::Finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Program {
        let training = Some(TrainingBudget { env_steps_max: Some(100) });
        Program { demonstrations: 2, training, evaluations: 3, ..Program::default() }
    }

    /// Done so far: demonstrations, training steps, evaluations.
    fn check(program: &Program, done: [u32; 3], policy: Option<u64>, finished: bool, next: Next) {
        let [demonstrations, env_steps, evaluations] = done;
        let progress = Progress { demonstrations, evaluations, ..Progress::default() };
        let pace = Pace {
            finished,
            policy_version: PolicyVersion(7),
            env_step_limit: Some(0),
            ..Pace::default()
        };
        let policy = policy.map(PolicyVersion);
        assert_eq!(program.next(&progress, policy, &pace, env_steps.into()), next);
    }

    const DEMONSTRATE: Next = Next::Begin(EpisodeKind::Demonstration);
    const TRAIN: Next = Next::Begin(EpisodeKind::Training);
    const EVALUATE: Next = Next::Begin(EpisodeKind::Evaluation);

    #[test]
    fn demonstrations_come_first_and_need_no_policy() {
        check(&whole(), [0, 0, 0], None, false, DEMONSTRATE);
        check(&whole(), [1, 0, 0], Some(7), false, DEMONSTRATE);
    }

    #[test]
    fn what_other_actors_have_demonstrated_is_not_asked_for_again() {
        let pace = Pace { env_step_limit: Some(100), ..Pace::default() };
        let next = whole().next(&Progress::default(), None, &pace, 0);
        assert_eq!(next, Next::AwaitPolicy(PolicyVersion(0)));
    }

    #[test]
    fn training_waits_for_a_policy() {
        check(&whole(), [2, 0, 0], None, false, Next::AwaitPolicy(PolicyVersion(0)));
        check(&whole(), [2, 0, 0], Some(0), false, TRAIN);
    }

    #[test]
    fn without_demonstrations_nobody_waits_for_a_policy() {
        let program = Program { demonstrations: 0, explore: true, ..whole() };
        check(&program, [0, 0, 0], None, false, TRAIN);
    }

    #[test]
    fn training_ends_with_the_budget_or_by_the_learners_word() {
        check(&whole(), [2, 99, 0], Some(7), false, TRAIN);
        check(&whole(), [2, 100, 0], Some(7), false, EVALUATE);
        check(&whole(), [2, 5, 0], Some(7), true, EVALUATE);
    }

    #[test]
    fn a_measurement_waits_for_the_last_parameters() {
        check(&whole(), [2, 100, 0], Some(6), false, Next::AwaitPolicy(PolicyVersion(7)));
    }

    #[test]
    fn frames_are_labelled_before_anything_else_and_need_no_policy() {
        let program = Program { labelling: 2, ..whole() };
        let pace = Pace { env_step_limit: Some(0), ..Pace::default() };
        let next = |labelled| {
            let progress = Progress { labelled, ..Progress::default() };
            program.next(&progress, None, &pace, 0)
        };
        assert_eq!(next(1), Next::Begin(EpisodeKind::Labelling));
        assert_eq!(next(2), DEMONSTRATE);
    }

    #[test]
    fn a_program_ends() {
        check(&whole(), [2, 100, 3], Some(7), false, Next::Finished);
        check(&Program::default(), [0, 0, 0], None, false, Next::Finished);
    }

    #[test]
    fn without_training_the_policy_is_measured_at_once() {
        let program = Program { evaluations: 1, ..Program::default() };
        check(&program, [0, 0, 0], Some(7), false, EVALUATE);
        check(&program, [0, 0, 1], Some(7), false, Next::Finished);
    }

    #[test]
    fn only_what_came_to_an_end_counts() {
        let mut progress = Progress::default();
        progress.ended(EpisodeId(0), EpisodeKind::Demonstration, Outcome::Failure);
        progress.ended(EpisodeId(1), EpisodeKind::Demonstration, Outcome::Success);
        progress.ended(EpisodeId(2), EpisodeKind::Evaluation, Outcome::Unknown);
        progress.ended(EpisodeId(3), EpisodeKind::Evaluation, Outcome::Failure);
        progress.ended(EpisodeId(4), EpisodeKind::Evaluation, Outcome::Success);
        progress.ended(EpisodeId(5), EpisodeKind::Labelling, Outcome::Failure);
        progress.ended(EpisodeId(6), EpisodeKind::Labelling, Outcome::Unknown);
        let expected = Progress {
            next_episode: EpisodeId(7),
            labelled: 1,
            demonstrations: 1,
            evaluations: 2,
            evaluation_successes: 1,
            last_demonstration: None,
        };
        assert_eq!(progress, expected);
    }

    #[test]
    fn the_last_demonstration_alone_is_taken_back_or_kept_after_all() {
        let mut progress = Progress::default();
        let counts = |progress: &mut Progress, episode, outcome| {
            progress.revised(EpisodeId(episode), outcome);
            progress.demonstrations
        };
        progress.ended(EpisodeId(0), EpisodeKind::Demonstration, Outcome::Success);
        progress.ended(EpisodeId(1), EpisodeKind::Demonstration, Outcome::Success);
        assert_eq!(counts(&mut progress, 0, Outcome::Unknown), 2);
        assert_eq!(counts(&mut progress, 1, Outcome::Unknown), 1);
        assert_eq!(counts(&mut progress, 1, Outcome::Failure), 1);
        assert_eq!(counts(&mut progress, 1, Outcome::Success), 2);
        assert_eq!(counts(&mut progress, 1, Outcome::Success), 2);
        progress.ended(EpisodeId(2), EpisodeKind::Training, Outcome::Success);
        assert_eq!(counts(&mut progress, 1, Outcome::Unknown), 2);
    }
}

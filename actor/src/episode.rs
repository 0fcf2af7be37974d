//! The life of one episode: resetting, running, ended. Counts what happened and says when and why
//! it is over. Holds no device and reads no clock.

use drivers::EpisodeBrief;
use tasks::{EpisodeRules, reward::Ruling};
use wire::{ActionSource, EpisodeEnd, EpisodeKind, Outcome, TruncationCause};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The work-piece is prepared and the arm moves to its start.
    Resetting,
    Running,
    Ended,
}

/// What a step brought, as far as the episode is concerned.
#[derive(Clone, Copy, Debug)]
pub struct StepSeen {
    pub source: ActionSource,
    /// A person took over in this step.
    pub takeover: bool,
    pub ruling: Ruling,
    /// The task cannot be done any more.
    pub lost: bool,
    /// Something other than the task asks for the end.
    pub stop: Option<TruncationCause>,
}

/// What is recorded of a step. Never both: what terminates is not truncated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Judged {
    pub reward: f32,
    pub terminated: bool,
    pub truncated: bool,
}

impl Judged {
    pub fn is_over(self) -> bool {
        self.terminated || self.truncated
    }
}

#[derive(Clone, Debug)]
pub struct Episode {
    brief: EpisodeBrief,
    rules: EpisodeRules,
    phase: Phase,
    episode_return: f32,
    end: EpisodeEnd,
}

impl Episode {
    pub fn new(brief: EpisodeBrief, rules: EpisodeRules) -> Self {
        let end = EpisodeEnd {
            steps: 0,
            outcome: Outcome::Unknown,
            truncation: None,
            human_steps: 0,
            interventions: 0,
        };
        Self { brief, rules, phase: Phase::Resetting, episode_return: 0.0, end }
    }

    pub fn brief(&self) -> &EpisodeBrief {
        &self.brief
    }

    pub fn steps(&self) -> u32 {
        self.end.steps
    }

    pub fn episode_return(&self) -> f32 {
        self.episode_return
    }

    /// The first observation is taken.
    pub fn begin(&mut self) {
        debug_assert_eq!(self.phase, Phase::Resetting, "an episode begins once");
        self.phase = Phase::Running;
    }

    pub fn step(&mut self, seen: StepSeen) -> Judged {
        debug_assert_eq!(self.phase, Phase::Running, "only a running episode has steps");
        self.end.steps += 1;
        self.end.human_steps += u32::from(seen.source == ActionSource::Human);
        self.end.interventions += u32::from(seen.takeover);
        let ruling = match self.brief.kind {
            // Marks are labels there; nobody's success is in question.
            EpisodeKind::Labelling => Ruling::default(),
            _ => seen.ruling,
        };
        let verdict = self.rules.judge(self.end.steps, &ruling);
        self.episode_return += verdict.reward;
        let terminated = verdict.terminated || seen.lost;
        let truncation = if terminated { None } else { self.stop(seen).or(verdict.truncation) };
        if terminated || truncation.is_some() {
            self.phase = Phase::Ended;
            self.end.truncation = truncation;
            self.end.outcome = match truncation {
                _ if verdict.failed => Outcome::Failure,
                _ if verdict.succeeded => Outcome::Success,
                None | Some(TruncationCause::TimeLimit) => Outcome::Failure,
                _ => Outcome::Unknown,
            };
        }
        Judged { reward: verdict.reward, terminated, truncated: truncation.is_some() }
    }

    /// Ends the episode for `cause` between two steps, unless it has ended.
    pub fn cut(&mut self, cause: TruncationCause) {
        if self.phase != Phase::Ended {
            self.phase = Phase::Ended;
            self.end.truncation = Some(cause);
        }
    }

    /// What is recorded of it at its end.
    pub fn end(&self) -> EpisodeEnd {
        debug_assert_eq!(self.phase, Phase::Ended, "asked for the end of what goes on");
        self.end
    }

    fn stop(&self, seen: StepSeen) -> Option<TruncationCause> {
        // A measured policy drives alone: who reaches in ends the measurement.
        let measured = self.brief.kind == EpisodeKind::Evaluation;
        let reached_in = measured && seen.source == ActionSource::Human;
        seen.stop.or(reached_in.then_some(TruncationCause::Operator))
    }
}

#[cfg(test)]
mod tests {
    use tasks::reward::RewardConfig;
    use wire::EpisodeId;

    use super::*;
    use EpisodeKind::{Evaluation, Labelling, Training};

    fn success(succeeded: bool) -> Ruling {
        Ruling { succeeded, share: f64::from(u8::from(succeeded)), ..Ruling::default() }
    }

    fn rules(terminate_on_success: bool) -> EpisodeRules {
        let reward =
            RewardConfig { step_penalty: 0.25, terminate_on_success, ..RewardConfig::default() };
        EpisodeRules { steps_max: 5, reward }
    }

    fn training() -> EpisodeBrief {
        EpisodeBrief { episode: EpisodeId(0), kind: Training, seed: 0 }
    }

    /// Runs one letter per step until the episode is over: `p` the policy drives, `H` a person
    /// takes over, `h` goes on driving, `S` success, `X` a person says failure, `L` lost, `o` the operator
    /// ends it, `f` a fault.
    fn check(kind: EpisodeKind, steps: &str, expected: EpisodeEnd) {
        let brief = EpisodeBrief { episode: EpisodeId(0), kind, seed: 0 };
        let mut episode = Episode::new(brief, rules(true));
        episode.begin();
        let verdicts: Vec<Judged> = steps
            .chars()
            .map(|letter| {
                let human = matches!(letter, 'H' | 'h');
                episode.step(StepSeen {
                    source: if human { ActionSource::Human } else { ActionSource::Policy },
                    takeover: letter == 'H',
                    ruling: match letter {
                        'X' => Ruling { failed: true, ..Ruling::default() },
                        letter => success(letter == 'S'),
                    },
                    lost: letter == 'L',
                    stop: match letter {
                        'o' => Some(TruncationCause::Operator),
                        'f' => Some(TruncationCause::Fault),
                        _ => None,
                    },
                })
            })
            .collect();
        let (last, before) = verdicts.split_last().expect("a case has steps");
        assert!(before.iter().all(|verdict| !verdict.is_over()), "over too early: {verdicts:?}");
        assert_eq!(last.truncated, expected.truncation.is_some());
        assert_eq!(last.terminated, expected.truncation.is_none());
        assert_eq!(episode.end(), expected);
    }

    fn end(outcome: Outcome, truncation: Option<TruncationCause>, counts: [u32; 3]) -> EpisodeEnd {
        let [steps, human_steps, interventions] = counts;
        EpisodeEnd { steps, outcome, truncation, human_steps, interventions }
    }

    #[test]
    fn success_terminates() {
        check(Training, "ppS", end(Outcome::Success, None, [3, 0, 0]));
    }

    #[test]
    fn what_cannot_be_done_any_more_is_a_failure_and_terminates() {
        check(Training, "ppL", end(Outcome::Failure, None, [3, 0, 0]));
    }

    #[test]
    fn the_time_limit_truncates() {
        let late = Some(TruncationCause::TimeLimit);
        check(Training, "ppppp", end(Outcome::Failure, late, [5, 0, 0]));
    }

    #[test]
    fn success_in_the_last_step_is_a_success() {
        check(Training, "ppppS", end(Outcome::Success, None, [5, 0, 0]));
    }

    #[test]
    fn takeovers_and_human_steps_are_counted() {
        check(Training, "HhpHS", end(Outcome::Success, None, [5, 3, 2]));
    }

    #[test]
    fn an_operator_or_a_fault_says_nothing_about_the_task() {
        let operator = Some(TruncationCause::Operator);
        check(Training, "po", end(Outcome::Unknown, operator, [2, 0, 0]));
        let fault = Some(TruncationCause::Fault);
        check(Training, "ppf", end(Outcome::Unknown, fault, [3, 0, 0]));
    }

    #[test]
    fn a_person_who_says_failure_ends_the_task() {
        check(Training, "ppX", end(Outcome::Failure, None, [3, 0, 0]));
    }

    #[test]
    fn an_episode_for_labels_goes_on_whatever_is_marked() {
        let late = Some(TruncationCause::TimeLimit);
        check(Labelling, "hSXSh", end(Outcome::Failure, late, [5, 2, 0]));
    }

    #[test]
    fn a_hand_ends_a_measured_episode() {
        let operator = Some(TruncationCause::Operator);
        check(Evaluation, "pH", end(Outcome::Unknown, operator, [2, 1, 1]));
    }

    #[test]
    fn an_episode_can_end_before_its_first_step() {
        let brief = EpisodeBrief { episode: EpisodeId(0), kind: Training, seed: 0 };
        let mut episode = Episode::new(brief, rules(true));
        episode.cut(TruncationCause::Fault);
        let fault = Some(TruncationCause::Fault);
        assert_eq!(episode.end(), end(Outcome::Unknown, fault, [0, 0, 0]));
    }

    #[test]
    fn rewards_add_up_to_the_return() {
        let mut episode = Episode::new(training(), rules(true));
        episode.begin();
        let step = |succeeded| StepSeen {
            source: ActionSource::Policy,
            takeover: false,
            ruling: success(succeeded),
            lost: false,
            stop: None,
        };
        let rewards = [episode.step(step(false)).reward, episode.step(step(true)).reward];
        assert_eq!((rewards, episode.episode_return()), ([-0.25, 0.75], 0.5));
    }

    #[test]
    fn success_that_does_not_terminate_goes_on_until_someone_ends_it() {
        let mut episode = Episode::new(training(), rules(false));
        episode.begin();
        let mut seen = StepSeen {
            source: ActionSource::Policy,
            takeover: false,
            ruling: success(true),
            lost: false,
            stop: None,
        };
        assert!(!episode.step(seen).is_over());
        seen.stop = Some(TruncationCause::Operator);
        assert!(episode.step(seen).truncated);
        assert_eq!(episode.end().outcome, Outcome::Success);
    }
}

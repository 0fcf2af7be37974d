//! Who decides in a step, and what: the person before the classifier before the cell's sensor.
//! Holds no network and reads no clock: probabilities, poses and marks come in, a ruling comes out.

use wire::{Judgement, Mark, RewardSource, geometry::Pose};

use super::{PoseGate, RewardConfig, RewardKind};

/// What a classifier's outputs stand for, and from where on they count.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassifierRule {
    /// One per output.
    pub thresholds: Vec<f32>,
    /// The output that says that the task is done.
    pub success: usize,
    /// Whether outputs are stages that are reached one after the other.
    pub staged: bool,
}

/// What is known after a step.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// By the cell's own sensor; `None` where it has none.
    pub sensed: Option<bool>,
    pub mark: Option<Mark>,
    /// One per output; none where there is no classifier, or it could not judge.
    pub probabilities: Option<&'a [f32]>,
    pub tcp_pose: &'a Pose,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ruling {
    pub succeeded: bool,
    /// A person says that the task has failed.
    pub failed: bool,
    /// Share of the reward for success that the step earns.
    pub share: f64,
    pub judgement: Judgement,
}

/// Rules over one episode after the other.
#[derive(Clone, Debug)]
pub struct Referee {
    kind: RewardKind,
    rule: Option<ClassifierRule>,
    debounce: u32,
    gate: Option<PoseGate>,
    /// Frames in a row that show what is looked for.
    in_a_row: u32,
    /// Stages reached in this episode.
    reached: usize,
}

impl Referee {
    /// `rule` is what the classifier decides by, where the task has one.
    pub fn new(reward: &RewardConfig, rule: Option<ClassifierRule>) -> Self {
        Self {
            kind: reward.kind,
            rule,
            debounce: reward.classifier.as_ref().map_or(1, |c| c.debounce_frames),
            gate: reward.gate.clone(),
            in_a_row: 0,
            reached: 0,
        }
    }

    /// Another episode begins.
    pub fn begin(&mut self) {
        self.in_a_row = 0;
        self.reached = 0;
    }

    pub fn rule(&mut self, evidence: Evidence<'_>) -> Ruling {
        let (mark, sensed) = (evidence.mark, evidence.sensed);
        let (seen, probability) = self.look(&evidence);
        let ruling = match mark {
            Some(Mark::Success) => {
                let share = self.left();
                Ruling { succeeded: true, share, ..Ruling::by(RewardSource::Person) }
            }
            Some(Mark::Failure) => Ruling { failed: true, ..Ruling::by(RewardSource::Person) },
            Some(Mark::Class(_)) | None => match self.kind {
                RewardKind::Classifier => seen,
                RewardKind::Sensor => {
                    let succeeded = sensed == Some(true);
                    let share = f64::from(u8::from(succeeded));
                    Ruling { succeeded, share, ..Ruling::by(RewardSource::Task) }
                }
            },
        };
        let source = ruling.judgement.source;
        Ruling { judgement: Judgement { source, probability, mark, sensed }, ..ruling }
    }

    /// What the classifier says, and the probability that it says it by.
    fn look(&mut self, evidence: &Evidence<'_>) -> (Ruling, Option<f32>) {
        let nothing = Ruling::by(RewardSource::Classifier);
        let Some(rule) = &self.rule else { return (nothing, None) };
        let last = rule.thresholds.len().saturating_sub(1);
        let output = if rule.staged { self.reached.min(last) } else { rule.success };
        let found = evidence.probabilities.and_then(|p| p.get(output)).copied();
        let Some((probability, threshold)) = found.zip(rule.thresholds.get(output)) else {
            self.in_a_row = 0;
            return (nothing, None);
        };
        // A stage on the way may be reached anywhere; the gate is about the task's end.
        let gated = output == rule.success;
        let open = !gated || self.gate.as_ref().is_none_or(|g| g.is_open(evidence.tcp_pose));
        self.in_a_row = if open && probability >= *threshold { self.in_a_row + 1 } else { 0 };
        if self.in_a_row < self.debounce {
            return (nothing, Some(probability));
        }
        let stages = if rule.staged { rule.thresholds.len() } else { 1 };
        let (succeeded, share) = match rule.staged {
            false => (true, 1.0),
            true if self.reached >= stages => (true, 0.0),
            true => {
                self.reached += 1;
                self.in_a_row = 0;
                (self.reached == stages, 1.0 / stages as f64)
            }
        };
        (Ruling { succeeded, share, ..nothing }, Some(probability))
    }

    /// Share of the reward for success that has not been earned yet.
    fn left(&mut self) -> f64 {
        match &self.rule {
            Some(rule) if rule.staged => {
                let stages = rule.thresholds.len();
                let left = stages - self.reached.min(stages);
                self.reached = stages;
                left as f64 / stages as f64
            }
            _ => 1.0,
        }
    }
}

impl Ruling {
    fn by(source: RewardSource) -> Self {
        Self { judgement: Judgement { source, ..Judgement::default() }, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::reward::ClassifierConfig;

    fn referee(
        kind: RewardKind,
        debounce_frames: u32,
        thresholds: &[f32],
        staged: bool,
    ) -> Referee {
        let reward = RewardConfig {
            kind,
            classifier: Some(ClassifierConfig {
                file: PathBuf::from("classifier.bin"),
                debounce_frames,
                sha256: None,
            }),
            gate: Some(PoseGate {
                position_m: [0.0; 3],
                rpy_rad: [0.0; 3],
                tolerance_m: [1.0; 3],
                tolerance_rad: 4.0,
            }),
            ..RewardConfig::default()
        };
        let success = thresholds.len() - 1;
        let rule = ClassifierRule { thresholds: thresholds.to_vec(), success, staged };
        Referee::new(&reward, Some(rule))
    }

    /// One letter per step. Seen: `-` nothing, `c` the classifier is sure of everything, `g` as `c`
    /// with the arm outside of the gate, `?` no judgement, `s` only the sensor, `+` `!` as `-` with
    /// the person's word for success or failure, `x` as `c` with the word for failure. Ruled: `.`
    /// nothing, a digit: tenths of the reward, `F` failed; upper case or digit with success `*`.
    #[track_caller]
    fn check(referee: &mut Referee, seen: &str, expected: &str) {
        referee.begin();
        let outputs = referee.rule.as_ref().map_or(1, |rule| rule.thresholds.len());
        let ruled: String = seen
            .chars()
            .map(|letter| {
                let sure = matches!(letter, 'c' | 'g' | 'x');
                let probabilities = vec![if sure { 0.9 } else { 0.1 }; outputs];
                let away = if letter == 'g' { 2.0 } else { 0.0 };
                let mark = match letter {
                    '+' => Some(Mark::Success),
                    '!' | 'x' => Some(Mark::Failure),
                    _ => None,
                };
                let ruling = referee.rule(Evidence {
                    sensed: Some(letter == 's'),
                    mark,
                    probabilities: (letter != '?').then_some(&probabilities),
                    tcp_pose: &Pose::translation(away, 0.0, 0.0),
                });
                assert_eq!(ruling.judgement.mark, mark);
                assert_eq!(ruling.judgement.sensed, Some(letter == 's'));
                assert_eq!(ruling.judgement.probability.is_some(), letter != '?');
                let person = ruling.judgement.source == RewardSource::Person;
                assert_eq!(person, mark.is_some(), "who decided on {letter}");
                match ruling {
                    Ruling { failed: true, .. } => "F".to_owned(),
                    Ruling { succeeded: true, share, .. } => format!("{}*", (share * 10.0).round()),
                    Ruling { share, .. } if share > 0.0 => format!("{}", (share * 10.0).round()),
                    _ => ".".to_owned(),
                }
            })
            .collect();
        assert_eq!(ruled, expected);
    }

    use RewardKind::{Classifier, Sensor};

    #[test]
    fn one_frame_is_not_enough_where_two_are_asked_for() {
        let mut referee = referee(Classifier, 2, &[0.5], false);
        check(&mut referee, "-c-c-", ".....");
        check(&mut referee, "-cc", "..10*");
        check(&mut referee, "c?c", "...");
    }

    #[test]
    fn frames_of_the_episode_before_do_not_count() {
        let mut referee = referee(Classifier, 2, &[0.5], false);
        check(&mut referee, "c", ".");
        check(&mut referee, "c", ".");
    }

    #[test]
    fn outside_of_the_gate_pictures_are_not_believed() {
        let mut referee = referee(Classifier, 2, &[0.5], false);
        check(&mut referee, "gggg", "....");
        check(&mut referee, "cgcc", "...10*");
    }

    #[test]
    fn a_person_wins_over_the_classifier() {
        let mut referee = referee(Classifier, 1, &[0.5], false);
        check(&mut referee, "-+", ".10*");
        check(&mut referee, "!", "F");
        check(&mut referee, "x", "F");
    }

    #[test]
    fn the_sensor_decides_where_the_task_says_so_and_nowhere_else() {
        check(&mut referee(Sensor, 1, &[0.5], false), "cs", ".10*");
        check(&mut referee(Classifier, 1, &[0.5], false), "s", ".");
    }

    #[test]
    fn stages_are_paid_once_and_in_order() {
        let mut referee = referee(Classifier, 1, &[0.5, 0.5], true);
        check(&mut referee, "-c-c", ".5.5*");
        // The gate is about the last one.
        check(&mut referee, "gggc", "5..5*");
        check(&mut referee, "c+", "55*");
    }

    #[test]
    fn an_output_is_held_against_its_own_threshold() {
        let mut strict = referee(Classifier, 1, &[0.5, 0.95], false);
        check(&mut strict, "cc", "..");
    }
}

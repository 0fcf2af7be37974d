//! Who decides what a step is worth: the classifier where the task says so, a person always.

use actor::{OperatorCommand, Program};
use wire::{Judgement, Mark, RewardSource, Step};

use crate::{
    cell::Cell,
    rig::{Rig, evaluate, label, train},
};

const CLASSIFIER: &str = "[reward]\nkind = \"classifier\"\n\
                          [reward.classifier]\nfile = \"c.bin\"\ndebounce_frames = 2";

fn judged(program: Program) -> Rig {
    let mut rig = Rig::new(program);
    rig.camera = Some(String::new());
    rig.reward = CLASSIFIER;
    rig
}

fn steps(rig: &Rig) -> Vec<Step> {
    rig.learner.state().steps().into_iter().cloned().collect()
}

fn said(source: RewardSource, probability: f32, mark: Option<Mark>, sensed: bool) -> Judgement {
    Judgement { source, probability: Some(probability), mark, sensed: Some(sensed) }
}

#[test]
fn the_classifier_ends_the_episode_when_it_is_sure_for_long_enough() {
    let mut rig = judged(train(4));
    rig.check(&["c.cc"], "T:pppp+");
    let steps = steps(&rig);
    let rewards: Vec<f32> = steps.iter().map(|step| step.reward).collect();
    assert_eq!(rewards, [0.0, 0.0, 0.0, 1.0]);
    assert!(steps[3].terminated);
    let classifier = |probability| said(RewardSource::Classifier, probability, None, false);
    let judgements: Vec<Judgement> = steps.iter().map(|step| step.judgement).collect();
    let sure = classifier(0.75);
    assert_eq!(judgements, [sure, classifier(0.25), sure, sure]);
}

#[test]
fn what_the_sensor_saw_is_written_down_and_decides_nothing() {
    let mut rig = judged(train(5));
    rig.check(&["..s.."], "T:pppppL");
    let sensed: Vec<_> = steps(&rig).iter().map(|step| step.judgement.sensed).collect();
    assert_eq!(sensed, [false, false, true, false, false].map(Some));
    assert!(steps(&rig).iter().all(|step| step.reward == 0.0));
}

#[test]
fn a_person_wins_over_the_classifier() {
    judged(train(4)).check(&["c-", ".+"], "T:pp- T:pp+");
}

#[test]
fn a_person_wins_over_the_sensor_too() {
    let mut rig = Rig::new(train(2));
    rig.check(&[".+"], "T:pp+");
    let last = steps(&rig)[1].clone();
    assert_eq!((last.reward, last.terminated), (1.0, true));
    let judgement = Judgement {
        source: RewardSource::Person,
        probability: None,
        mark: Some(Mark::Success),
        sensed: Some(false),
    };
    assert_eq!(last.judgement, judgement);
}

#[test]
fn a_failure_that_a_person_names_is_worth_nothing_and_ends_the_task() {
    let mut rig = judged(train(2));
    rig.check(&["c-"], "T:pp-");
    let last = steps(&rig)[1].clone();
    assert_eq!((last.reward, last.terminated, last.truncated), (0.0, true, false));
    assert_eq!(last.judgement, said(RewardSource::Person, 0.75, Some(Mark::Failure), false));
}

#[test]
fn a_word_at_the_console_counts_in_the_step_in_which_it_is_heard() {
    let (say, heard) = crossbeam_channel::bounded(1);
    let mut rig = judged(train(3));
    rig.operator = Some(heard);
    let cell = Cell::new(rig.clock.clone(), rig.shutdown.clone(), &[".w."]);
    cell.give_word(say, OperatorCommand::Mark(Mark::Success));
    rig.run_in(&cell).expect("a run");
    assert_eq!(rig.recorded(), "T:ppp+");
    let marks: Vec<_> = steps(&rig).iter().map(|step| step.judgement.mark).collect();
    assert_eq!(marks, [None, None, Some(Mark::Success)]);
}

#[test]
fn a_classifier_that_fails_ends_the_episode_and_decides_nothing() {
    let mut rig = judged(train(2));
    rig.check(&["c?"], "T:ppF");
    let last = steps(&rig)[1].clone();
    assert_eq!((last.reward, last.terminated, last.judgement.probability), (0.0, false, None));
}

#[test]
fn an_episode_for_labels_keeps_every_mark_and_goes_on() {
    let mut rig = Rig::new(label(1));
    rig.check(&["H+-sH"], "L:HhhhHL");
    let marks: Vec<_> = steps(&rig).iter().map(|step| step.judgement.mark).collect();
    assert_eq!(marks, [None, Some(Mark::Success), Some(Mark::Failure), None, None]);
    assert!(steps(&rig).iter().all(|step| step.reward == 0.0 && !step.terminated));
}

#[test]
fn labels_are_counted_over_a_restart() {
    let mut rig = Rig::new(label(2));
    rig.crash(&["HHHHH", "HH!"]);
    rig.check(&["HHHHH"], "L:HHHHHL L:HHI L:HHHHHL");
}

#[test]
fn a_measured_policy_is_judged_like_a_trained_one() {
    judged(evaluate(1)).check(&["ccc"], "E:pp+");
}

use std::path::PathBuf;

use pickle::program::Program;
use wire::{EpisodeKind, Outcome, TruncationCause};

use super::*;
use crate::testing::task;

// Made with numpy 2.2 on Python 3.11: `tests/fixtures/make_pickles.py`.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

fn cameras() -> CameraNames {
    CameraNames::new([("wrist_1".to_owned(), "wrist".to_owned())])
}

fn imported(files: &[&str]) -> (Vec<Episode>, LeftOut) {
    let files: Vec<PathBuf> = files.iter().map(|file| Path::new(FIXTURES).join(file)).collect();
    let mut episodes = Vec::new();
    let left_out = import(&files, &task(&["wrist"]), &cameras(), &mut |episode| {
        episodes.push(episode);
        Ok(())
    });
    (episodes, left_out.unwrap())
}

fn check_demonstrations(file: &str) {
    let (episodes, left_out) = imported(&[file]);
    assert_eq!(left_out, LeftOut::default());
    let [good, late] = &episodes[..] else { panic!("{} episodes", episodes.len()) };
    assert_eq!(good.start.kind, EpisodeKind::Demonstration);
    assert_eq!((good.end.outcome, good.end.truncation), (Outcome::Success, None));
    assert_eq!(good.start.observation.proprio, [0.0, 0.0, 0.5]);
    assert_eq!(good.start.observation.frames[0].pixels[..6], [1, 2, 3, 0, 0, 0]);
    let [.., last] = &good.steps[..] else { panic!("no steps") };
    assert_eq!(good.steps.len(), 3);
    assert_eq!(last.executed_action.as_slice(), [0.25, -0.5, 0.25]);
    assert_eq!((last.reward, last.terminated, last.truncated), (1.0, true, false));
    assert_eq!(last.next_observation.proprio, [0.0, 3.0, 0.5]);
    assert_eq!(last.next_observation.frames[0].pixels[3..], [3; 16 * 16 * 3 - 3]);

    // The reference calls a time limit the end of the task; here values bootstrap.
    assert_eq!(late.end.outcome, Outcome::Failure);
    assert_eq!(late.end.truncation, Some(TruncationCause::TimeLimit));
    assert!(late.steps[1].truncated && !late.steps[1].terminated);
}

#[test]
fn demonstrations_of_every_protocol_are_read() {
    check_demonstrations("demo_data.pkl");
    check_demonstrations("demo_data_protocol2.pkl");
    check_demonstrations("demo_data_protocol5.pkl");
}

#[test]
fn numpys_scalars_and_arrays_of_one_are_numbers() {
    let (episodes, left_out) = imported(&["transitions_1000.pkl"]);
    assert_eq!(episodes.len(), 1);
    assert_eq!(episodes[0].end.outcome, Outcome::Success);
    assert_eq!(left_out, LeftOut { grasp_penalties: 1 });
}

#[test]
fn stretches_that_do_not_hang_together_are_episodes_of_their_own() {
    let (episodes, _) = imported(&["interventions.pkl"]);
    let steps: Vec<usize> = episodes.iter().map(|episode| episode.steps.len()).collect();
    assert_eq!(steps, [2, 2]);
    for episode in &episodes {
        assert_eq!(episode.end.truncation, Some(TruncationCause::Interrupted));
        assert!(episode.steps[1].truncated && !episode.steps[1].terminated);
    }
    // The second begins where it was seen to begin, not where the first one ended.
    assert_eq!(episodes[1].start.observation.proprio, [3.0, 9.0, 0.5]);
}

#[test]
fn files_are_read_in_the_order_of_their_numbers() {
    let mut names = ["b/transitions_10000.pkl", "b/transitions_2000.pkl", "a/x.pkl"].map(Path::new);
    names.sort_by_cached_key(|path| in_order(path));
    let expected = ["a/x.pkl", "b/transitions_2000.pkl", "b/transitions_10000.pkl"];
    assert_eq!(names, expected.map(Path::new));
}

/// What may be wrong with a transition.
struct Made {
    state: Vec<f32>,
    picture: (&'static str, Vec<usize>),
    action: Vec<f32>,
    reward: f64,
}

impl Made {
    fn good() -> Self {
        Self {
            state: vec![1.0, 2.0, 3.0],
            picture: ("u1", vec![1, 16, 16, 3]),
            action: vec![0.0; 3],
            reward: 0.0,
        }
    }

    fn file(&self) -> Vec<u8> {
        let bytes = |values: &[f32]| -> Vec<u8> {
            values.iter().flat_map(|value| value.to_le_bytes()).collect()
        };
        let seen = |program: Program| {
            let (dtype, shape) = &self.picture;
            let size: usize = dtype[1..].parse().unwrap();
            let data = vec![9; shape.iter().product::<usize>() * size];
            program
                .op(b"}(")
                .text("state")
                .array("f4", &[1, self.state.len()], &bytes(&self.state))
                .text("wrist")
                .array(dtype, shape, &data)
                .op(b"u")
        };
        let program = seen(Program::new().op(b"](}(").text("observations"))
            .text("actions")
            .array("f4", &[self.action.len()], &bytes(&self.action))
            .text("next_observations");
        let program = seen(program).text("rewards").float(self.reward).text("dones").op(b"\x89");
        program.op(b"ue").stop()
    }
}

fn check_refused(made: Made, words: &[&str]) {
    let error = parse(&made.file(), &task(&["wrist"])).unwrap_err().to_string();
    for word in ["transition 0"].iter().chain(words) {
        assert!(error.contains(word), "no {word:?} in {error}");
    }
}

#[test]
fn shapes_are_held_against_the_task() {
    let episodes = parse(&Made::good().file(), &task(&["wrist"])).unwrap();
    assert_eq!(episodes[0].start.observation.proprio, [1.0, 2.0, 3.0]);

    let state = Made { state: vec![0.0; 19], ..Made::good() };
    check_refused(state, &["state has 19 numbers", "observation.proprio has 3"]);
    let picture = Made { picture: ("u1", vec![1, 128, 128, 3]), ..Made::good() };
    check_refused(picture, &["wrist", "[1, 128, 128, 3]", "[16, 16, 3]"]);
    let picture = Made { picture: ("f4", vec![1, 16, 16, 3]), ..Made::good() };
    check_refused(picture, &["wrist", "no bytes"]);
    let action = Made { action: vec![0.0; 7], ..Made::good() };
    check_refused(action, &["actions", "there are 7 numbers", "have 3"]);
}

#[test]
fn numbers_that_are_none_are_refused() {
    let state = Made { state: vec![0.0, f32::NAN, 0.0], ..Made::good() };
    check_refused(state, &["observations", "state", "not finite"]);
    let action = Made { action: vec![f32::INFINITY; 3], ..Made::good() };
    check_refused(action, &["actions", "not finite"]);
    check_refused(Made { reward: f64::NAN, ..Made::good() }, &["rewards", "not finite"]);
}

#[test]
fn pictures_of_another_name_are_listed_with_the_remedy() {
    let error = parse(&Made::good().file(), &task(&["side"])).unwrap_err().to_string();
    assert!(error.contains("[\"wrist\"]") && error.contains("--camera KEY=side"), "{error}");
}

fn refused(file: &[u8]) -> String {
    match parse(file, &task(&["wrist"])).unwrap_err() {
        ExchangeError::Pickle { source, .. } => source.to_string(),
        error => error.to_string(),
    }
}

#[test]
fn code_is_refused_with_its_name_and_place() {
    let call = |module: &str, name: &str| {
        refused(&Program::new().global(module, name).op(b"(").text("true").op(b"tR").stop())
    };
    assert_eq!(call("os", "system"), "the pickle names os.system, which reins refuses (byte 3)");
    assert!(call("builtins", "exec").contains("builtins.exec"));
    // Harmless, but not numpy's.
    assert!(call("collections", "OrderedDict").contains("collections.OrderedDict"));
    assert!(call("torch._utils", "_rebuild_tensor_v2").contains("torch._utils"));
    let instance = refused(&Program::new().op(b"(ios\nsystem\n").stop());
    assert!(instance.contains("instruction 0x69") && instance.contains("byte 3"), "{instance}");
}

#[test]
fn what_is_no_list_of_transitions_is_refused() {
    assert!(refused(&Program::new().op(b"}").stop()).contains("no list of transitions"));
    assert!(refused(&Program::new().op(b"]").int(1).op(b"a").stop()).contains("no dictionary"));
    assert!(refused(&Program::new().op(b"]}a").stop()).contains("it has no `dones`"));
    assert!(parse(&Program::new().op(b"]").stop(), &task(&["wrist"])).unwrap().is_empty());
}

/// Every file shorter than the whole is refused, and no changed byte makes the reader panic.
#[test]
fn damaged_files_do_no_harm() {
    let file = std::fs::read(Path::new(FIXTURES).join("demo_data.pkl")).unwrap();
    let task = task(&["wrist"]);
    for len in (0..file.len()).step_by(97).chain(file.len() - 40..file.len()) {
        assert!(parse(&file[..len], &task).is_err(), "cut to {len}");
    }
    let mut made = Made::good().file();
    for at in 0..made.len() {
        for change in [0x01, 0x80, 0xff] {
            made[at] ^= change;
            let _ = parse(&made, &task);
            made[at] ^= change;
        }
    }
}

//! Data out of a run and into others, with the real executable: what was exported, and what
//! HIL-SERL would have written, trains.

use std::{fs, path::Path, process::Command, thread, time::Duration};

use drivers::Crop;
use pickle::program::Program;
use wire::{ActorId, EpisodeKind, Judgement, Observation, Record, RecordBody, Step};

use crate::support::{
    CELL, DEMONSTRATIONS, ENV_STEPS, Ledger, Process, RunFolder, TASK, Workplace, small_run,
};

/// What H.264 may change of a picture, on average over its bytes.
const PICTURE_OFF: f64 = 6.0;

/// The demonstrations of a run: first observation and steps of each.
fn demonstrations(run: &RunFolder, actor: ActorId) -> Vec<(Observation, Vec<Step>)> {
    let mut found = Vec::new();
    let mut open = false;
    for Record { body, .. } in run.records_of(actor) {
        match body {
            RecordBody::EpisodeStart(start) => {
                open = start.kind == EpisodeKind::Demonstration;
                if open {
                    found.push((without_features(start.observation), Vec::new()));
                }
            }
            RecordBody::Step(step) if open => {
                let next_observation = without_features(step.next_observation);
                let steps: &mut Vec<Step> = &mut found.last_mut().unwrap().1;
                // Who decided on the reward is not exported.
                let judgement = Judgement::default();
                steps.push(Step { next_observation, judgement, ..step });
            }
            _ => {}
        }
    }
    found
}

fn without_features(seen: Observation) -> Observation {
    Observation { features: Vec::new(), ..seen }
}

/// Asked for no demonstration and trained.
fn check_trained(workplace: &Workplace, run: &str) {
    let run = workplace.run(run);
    let acted = Ledger::of(&run.records_of(ActorId(0)));
    assert_eq!(acted.demonstrations, 0, "the imported ones are enough");
    assert!(acted.training_steps >= ENV_STEPS, "{acted:?}");
    assert!(run.summary()["learner_steps"].as_u64().unwrap() > 0);
}

#[test]
fn what_one_run_exports_another_learns_from() {
    let workplace = Workplace::new();
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "first"));
    let lerobot = ["export", "lerobot", "runs/first", "data", "--only", "demonstrations"];
    let said = workplace.must(workplace.reins(&lerobot));
    assert!(said.contains(&format!("{DEMONSTRATIONS} episodes")), "{said}");

    let import = ["import", "lerobot", "data"];
    let said = workplace.must(workplace.reins_on_run(&import, "second"));
    assert!(said.contains(&format!("{DEMONSTRATIONS} successes imported")), "{said}");
    let said = workplace.must(workplace.reins_on_run(&import, "second"));
    assert!(said.contains(&format!("{DEMONSTRATIONS} episodes were there already")), "{said}");
    assert_eq!(
        demonstrations(&workplace.run("first"), ActorId(0)),
        demonstrations(&workplace.run("second"), ActorId::IMPORTED),
    );
    workplace.must(workplace.reins_on_run(&["train"], "second"));
    check_trained(&workplace, "second");

    workplace.must(workplace.reins(&["export", "tensorboard", "runs/second", "log"]));
    assert!(fs::read_dir(workplace.path("log")).unwrap().count() == 1);
    workplace.must(workplace.reins(&["export", "mcap", "runs/second", "second.mcap"]));
    assert!(fs::read(workplace.path("second.mcap")).unwrap().starts_with(b"\x89MCAP0\r\n"));
    for (format, out) in [("lerobot", "data"), ("tensorboard", "log"), ("mcap", "second.mcap")] {
        let output = workplace.reins(&["export", format, "runs/second", out]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("is there already"), "{format}: {said}");
    }
}

/// How far two pictures are apart, on average over their bytes.
fn distance(one: &Observation, other: &Observation) -> f64 {
    let [one, other] = [one, other].map(|seen| &seen.frames[0]);
    assert_eq!((one.width, one.height), (other.width, other.height));
    let bytes = one.pixels.iter().zip(other.pixels.iter());
    bytes.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / one.pixels.len() as f64
}

fn without_pictures(step: &Step) -> Step {
    let next_observation = Observation { frames: Vec::new(), ..step.next_observation.clone() };
    Step { next_observation, ..step.clone() }
}

#[test]
fn videos_bring_the_same_episodes_with_pictures_near_to_theirs() {
    let workplace = Workplace::new();
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "first"));
    let only = "--only=demonstrations";
    let lerobot = ["export", "lerobot", "runs/first", "films", "--videos", only];
    workplace.must(workplace.reins(&lerobot));
    workplace.must(workplace.reins_on_run(&["import", "lerobot", "films"], "second"));
    let shown = demonstrations(&workplace.run("first"), ActorId(0));
    let imported = demonstrations(&workplace.run("second"), ActorId::IMPORTED);
    assert_eq!(imported.len(), shown.len());
    // Neighbours in a film: a picture in another's place would be further away than its own.
    let mut nearer = 0;
    let mut compared = 0;
    for ((first, steps), (first_again, steps_again)) in shown.iter().zip(&imported) {
        assert!(distance(first, first_again) < PICTURE_OFF);
        assert_eq!(steps.len(), steps_again.len());
        let mut before = first;
        for (step, again) in steps.iter().zip(steps_again) {
            assert_eq!(without_pictures(step), without_pictures(again));
            let (seen, seen_again) = (&step.next_observation, &again.next_observation);
            let off = distance(seen, seen_again);
            assert!(off < PICTURE_OFF, "{off}");
            nearer += u32::from(off < distance(before, seen_again));
            compared += 1;
            before = seen;
        }
    }
    assert!(nearer * 10 >= compared * 9, "{nearer} of {compared} are nearest to their own");
    workplace.must(workplace.reins_on_run(&["train"], "second"));
    check_trained(&workplace, "second");
}

#[test]
fn pictures_of_another_size_are_cut_and_scaled_as_the_cell_does() {
    let workplace = Workplace::new();
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "first"));
    let lerobot = ["export", "lerobot", "runs/first", "data", "--only", "demonstrations"];
    workplace.must(workplace.reins(&lerobot));
    let crop = "crop = { left = 24, top = 8, width = 96, height = 120 }";
    let camera = format!("[[camera]]\nwidth = 64\nheight = 48\n{crop}");
    workplace.write("cell.toml", &CELL.replace("[[camera]]", &camera));
    let observation = "[observation]\nimage_width = 64\nimage_height = 48\n\n[action]\n";
    workplace.write("task.toml", &TASK.replace("[action]\n", observation));

    let import = ["import", "lerobot", "data", "--resize"];
    let output = workplace.reins_on_run(&import[..3], "second").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("128x128 pixels, the task wants 64x48: say --resize"), "{said}");
    workplace.must(workplace.reins_on_run(&import, "second"));
    let cut = |mut seen: Observation| {
        let crop = Crop { left: 24, top: 8, width: 96, height: 120 };
        seen.frames = vec![crop.cut(&seen.frames[0], [64, 48])];
        seen
    };
    let of_episode = |(first, steps): (Observation, Vec<Step>)| {
        let steps = steps.into_iter();
        let steps = steps.map(|s| Step { next_observation: cut(s.next_observation), ..s });
        (cut(first), steps.collect())
    };
    let shown = demonstrations(&workplace.run("first"), ActorId(0));
    let wanted: Vec<(Observation, Vec<Step>)> = shown.into_iter().map(of_episode).collect();
    assert_eq!(demonstrations(&workplace.run("second"), ActorId::IMPORTED), wanted);
    workplace.must(workplace.reins_on_run(&["train"], "second"));
    check_trained(&workplace, "second");

    // A crop of a larger picture.
    workplace.write("cell.toml", &CELL.replace("[[camera]]", &camera.replace("24", "40")));
    let output = workplace.reins_on_run(&import, "third").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the crop of camera wrist") && said.contains("beyond"), "{said}");
}

/// Both exports of a run, opened with LeRobot's own package.
#[test]
fn lerobots_own_package_reads_exported_videos() {
    const WHAT: &str = "LeRobot's own package on videos";
    let Some(python) = peers::lerobot(WHAT) else { return };
    let ffmpeg = peers::run(Command::new(&python).args(["-c", "import torchcodec"]));
    if let Err(why) = ffmpeg {
        return peers::skip(
            WHAT,
            &format!("its torchcodec finds no FFmpeg (`apt install ffmpeg`): {why}"),
        );
    }
    let workplace = Workplace::new();
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "first"));
    workplace.must(workplace.reins(&["export", "lerobot", "runs/first", "data"]));
    workplace.must(workplace.reins(&["export", "lerobot", "runs/first", "films", "--videos"]));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lerobot_videos_peer.py");
    let mut command = Command::new(python);
    command.arg(script).arg(workplace.path("data")).arg(workplace.path("films"));
    command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", workplace.path("hf"));
    let output = peers::run(&mut command).unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["other_values"], 0, "{told}");
    assert!(told["rows"].as_u64().unwrap() > ENV_STEPS, "{told}");
    assert!(told["picture_off"].as_f64().unwrap() < PICTURE_OFF, "{told}");
}

#[test]
fn an_export_that_is_killed_leaves_nothing_under_its_name() {
    let workplace = Workplace::new();
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "first"));
    let mut whole = 0;
    for trial in 0..12 {
        let out = format!("data-{trial}");
        let export = ["export", "lerobot", "runs/first", &out];
        let process = Process::start(workplace.reins(&export));
        thread::sleep(Duration::from_millis(40 * trial));
        process.kill();
        if workplace.path(&out).exists() {
            whole += 1;
            let run = format!("again-{trial}");
            workplace.must(workplace.reins_on_run(&["import", "lerobot", &out], &run));
        } else {
            workplace.must(workplace.reins(&export));
        }
        assert!(workplace.path(&out).join("meta/info.json").is_file());
    }
    assert!(whole < 12, "none was killed in the middle");
    let hidden = |name: &std::ffi::OsStr| name.to_string_lossy().contains(".partial-");
    let left: Vec<_> = fs::read_dir(workplace.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| hidden(name))
        .collect();
    assert_eq!(left, Vec::<std::ffi::OsString>::new(), "the next export clears away");
}

/// The pickle that HIL-SERL would have written of these demonstrations.
fn as_hil_serl(demonstrations: &[(Observation, Vec<Step>)]) -> Vec<u8> {
    let floats =
        |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|x| x.to_le_bytes()).collect() };
    let seen = |program: Program, seen: &Observation| {
        let frame = &seen.frames[0];
        let shape = [1, usize::from(frame.height), usize::from(frame.width), 3];
        program
            .op(b"}(")
            .text("state")
            .array("f4", &[1, seen.proprio.len()], &floats(&seen.proprio))
            .text("wrist_1")
            .array("u1", &shape, &frame.pixels)
            .op(b"u")
    };
    let mut program = Program::new().op(b"](");
    for (first, steps) in demonstrations {
        let mut before = first;
        for step in steps {
            let action = step.executed_action.as_slice();
            let done: &[u8] = if step.terminated { b"\x88" } else { b"\x89" };
            program = seen(program.op(b"}(").text("observations"), before)
                .text("actions")
                .array("f4", &[action.len()], &floats(action))
                .text("next_observations");
            program = seen(program, &step.next_observation)
                .text("rewards")
                .float(step.reward.into())
                .text("masks")
                .float(if step.terminated { 0.0 } else { 1.0 })
                .text("dones")
                .op(done)
                .op(b"u");
            before = &step.next_observation;
        }
    }
    program.op(b"e").stop()
}

#[test]
fn a_pickle_of_hil_serl_trains() {
    let workplace = Workplace::new();
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "first"));
    let shown = demonstrations(&workplace.run("first"), ActorId(0));
    fs::write(workplace.path("demos.pkl"), as_hil_serl(&shown)).unwrap();

    // In step with an actor that has a past to do again: the imported episodes are none of it.
    workplace.write("run.toml", &format!("{}[coupling]\nmode = \"lockstep\"\n", small_run()));
    let import = ["import", "hil-serl", "demos.pkl", "--camera", "wrist_1=wrist"];
    let said = workplace.must(workplace.reins_on_run(&import, "third"));
    assert!(said.contains(&format!("{DEMONSTRATIONS} successes imported")), "{said}");
    let imported = demonstrations(&workplace.run("third"), ActorId::IMPORTED);
    assert_eq!(imported.len(), shown.len());
    for ((first, steps), (first_again, steps_again)) in shown.iter().zip(&imported) {
        assert_eq!(first.frames, first_again.frames);
        assert_eq!(steps.len(), steps_again.len());
        for (step, again) in steps.iter().zip(steps_again) {
            assert_eq!(step.executed_action, again.executed_action);
            assert_eq!(step.next_observation.proprio, again.next_observation.proprio);
            assert_eq!(step.next_observation.frames, again.next_observation.frames);
            assert_eq!((step.reward, step.terminated), (again.reward, again.terminated));
        }
    }
    workplace.must(workplace.reins_on_run(&["train"], "third"));
    check_trained(&workplace, "third");
    workplace.must(workplace.reins(&["resume", "runs/third"]));

    // Without the names of the cameras nothing comes in, and what is there is said.
    let output = workplace.reins_on_run(&import[..3], "fourth").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("wrist_1") && said.contains("--camera KEY=wrist"), "{said}");
}

#[test]
fn a_pickle_with_code_is_refused_by_name_and_place() {
    let workplace = Workplace::new();
    let code = Program::new().global("os", "system").op(b"(").text("touch owned").op(b"tR").stop();
    fs::write(workplace.path("demos.pkl"), code).unwrap();
    let import = ["import", "hil-serl", "demos.pkl"];
    let output = workplace.reins_on_run(&import, "bad").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    for word in ["demos.pkl", "os.system", "byte 3"] {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
    assert!(!workplace.path("owned").exists());
}

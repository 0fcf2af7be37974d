//! What people get wrong: one clear line with the remedy and a non-zero exit, never a panic. Wrong
//! keys and values of the files have a table of their own in `tasks`.

use std::{fs, net::TcpListener, process::Command};

use wire::{
    ActorRequest, LearnerReply, Refusal,
    codec::{self, HEADER_LEN},
};
use zenoh::Wait;

use crate::support::{
    Process, Workplace, free_endpoint, run_file, small_run, small_run_with_weights,
};

/// `command` fails, and its last words hold every one of `words` in one line.
fn check(mut command: Command, words: &[&str]) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let status = output.status;
    assert!(status.code().is_some_and(|code| code != 0), "{command:?}: {status}\n{said}");
    assert!(!said.contains("panicked"), "{command:?} panicked:\n{said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(lines.len(), 1, "{command:?} says one line of error:\n{said}");
    for word in words {
        assert!(lines[0].contains(word), "{command:?}: no {word:?} in\n{}", lines[0]);
    }
}

/// A run file with `change` behind the small run's text fails with `words`.
fn check_run_file(change: &str, words: &[&str]) {
    let workplace = Workplace::with_run(&format!("{}\n{change}\n", small_run()));
    check(workplace.reins_on_run(&["train"], "bad"), words);
    assert!(!workplace.path("runs/bad").exists(), "nothing is begun with a bad file");
}

#[test]
fn an_unknown_key_is_named_with_file_and_line() {
    check_run_file("[wheels]\nround = true", &["run.toml:", "wheels", "not a key"]);
}

#[test]
fn a_value_out_of_range_is_named_with_its_bounds() {
    check_run_file("[threads]\nactor = 0", &["run.toml:", "threads.actor = 0", "1", "256"]);
}

#[test]
fn a_port_that_others_can_reach_is_refused() {
    let run = run_file(100, "tcp/0.0.0.0:7447");
    let workplace = Workplace::with_run(&run);
    let words = ["link.endpoint", "other machines", "127.0.0.1"];
    check(workplace.reins_on_run(&["learner"], "bad"), &words);
}

#[test]
fn a_missing_file_is_named() {
    let workplace = Workplace::new();
    let mut train = workplace.reins(&["train", "--run", "bad", "--cell", "nowhere.toml"]);
    train.args(["--task", "task.toml", "--config", "run.toml"]);
    check(train, &["nowhere.toml"]);
}

#[test]
fn a_bad_fault_script_is_refused_before_anything_begins() {
    let workplace = Workplace::new();
    workplace.write("faults.toml", "[[fault]]\nkind = \"link_lost\"\nat_s = 5\n");
    let words = ["faults.toml:1", "fault[0].for_s", "Add it"];
    check(workplace.reins_on_run(&["train", "--faults", "faults.toml"], "bad"), &words);
    check(workplace.reins_on_run(&["actor", "--faults", "faults.toml"], "bad"), &words);
}

#[test]
fn a_workspace_of_what_is_not_there_is_refused_with_what_is() {
    let workplace = Workplace::new();
    check(workplace.reins(&["new", "sim-rma", "ram-insert"]), &["cell sim-rma", "sim-ram-easy"]);
    check(workplace.reins(&["new", "sim-ram", "ram-inset"]), &["task ram-inset", "ram-insert"]);
    let wrong_pair = ["new", "sim-ram", "ram-insert-two-cameras"];
    check(workplace.reins(&wrong_pair), &["do not go together", "side"]);
    assert!(!workplace.path("ram-insert-two-cameras").exists());
    fs::create_dir(workplace.path("own")).unwrap();
    check(workplace.reins(&["new", "sim-ram", "ram-insert", "--folder", "own"]), &["own", "there"]);
    check(workplace.reins(&["new", "sim-ram", "ram-insert", "--folder", ".x"]), &["folder", ".x"]);
}

#[test]
fn a_missing_weights_file_is_named_with_the_remedy() {
    let workplace = Workplace::with_run(&small_run_with_weights("nowhere.safetensors"));
    let words = ["nowhere.safetensors", "cargo xtask setup"];
    check(workplace.reins_on_run(&["learner"], "bad"), &words);
    check(workplace.reins_on_run(&["train", "--lockstep"], "bad-in-step"), &words);
}

#[test]
fn a_damaged_weights_file_is_named() {
    let workplace = Workplace::with_run(&small_run_with_weights("broken.safetensors"));
    workplace.write("broken.safetensors", "these are no weights");
    check(workplace.reins_on_run(&["learner"], "bad"), &["broken.safetensors"]);
}

#[test]
fn a_policy_of_another_backbone_is_refused() {
    let workplace = Workplace::new();
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "other"));
    let resolved = workplace.run("other").file("run.toml");
    let text = fs::read_to_string(&resolved).unwrap();
    let (head, backbone) = text.split_once("[backbone]").unwrap();
    let backbone = backbone.replacen("seed = 0", "seed = 1", 1);
    fs::write(&resolved, format!("{head}[backbone]{backbone}")).unwrap();
    check(workplace.reins(&["eval", "runs/other", "--episodes", "1"]), &["backbone"]);
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp/127.0.0.1:{}", taken.local_addr().unwrap().port());
    let workplace = Workplace::with_run(&run_file(100, &endpoint));
    let words = [endpoint.as_str(), "in use", "link"];
    check(workplace.reins_on_run(&["learner"], "bad"), &words);
}

#[test]
fn a_run_that_is_not_there_is_named() {
    let workplace = Workplace::new();
    check(workplace.reins(&["eval", "runs/nobody"]), &["runs/nobody", "no run"]);
    check(workplace.reins(&["report", "nobody"]), &["nobody", "no run"]);
    check(workplace.reins(&["view", "nobody"]), &["nobody"]);
}

#[test]
fn a_run_that_exists_keeps_its_seed() {
    let workplace = Workplace::new();
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "mine"));
    let mut again = workplace.reins_on_run(&["train"], "mine");
    again.args(["--seed", "77"]);
    check(again, &["seed 3", "--run"]);
}

#[test]
fn a_name_that_is_no_folders_name_is_refused() {
    let workplace = Workplace::new();
    check(workplace.reins_on_run(&["train"], "../up"), &["../up", "letters"]);
}

#[test]
fn a_policy_that_is_not_trained_yet_is_named() {
    let workplace = Workplace::new();
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "half"));
    fs::remove_file(workplace.run("half").file("policy.bin")).unwrap();
    check(workplace.reins(&["eval", "runs/half"]), &["policy.bin", "trained"]);
}

#[test]
fn a_file_of_another_wire_version_is_refused_with_both_versions() {
    let workplace = Workplace::new();
    workplace.must(workplace.reins_on_run(&["train", "--lockstep"], "old"));
    let path = workplace.run("old").file("policy.bin");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4..6].copy_from_slice(&9_u16.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    check(workplace.reins(&["eval", "runs/old"]), &["wire version 9", "this program 3"]);
}

/// A peer that speaks another version gets an answer that says so; the learner goes on.
#[test]
fn a_peer_of_another_wire_version_is_answered_with_both_versions() {
    let endpoint = free_endpoint();
    let workplace = Workplace::with_run(&run_file(100, &endpoint));
    let mut learner = Process::start(workplace.reins_on_run(&["learner"], "peer"));
    let session = connect(&endpoint);
    let goodbye = ActorRequest::Goodbye(wire::ActorId(7));
    let mut request = codec::encode(&goodbye).unwrap();
    assert!(request.len() > HEADER_LEN);
    request[4..6].copy_from_slice(&9_u16.to_le_bytes());
    let reply = ask(&session, "peer", &request);
    let LearnerReply::Refused(Refusal::Mismatch(reason)) = reply else { panic!("{reply:?}") };
    assert!(reason.contains("wire version 9") && reason.contains("this program 3"), "{reason}");
    assert!(learner.is_running());
    learner.kill();
}

fn connect(endpoint: &str) -> zenoh::Session {
    let mut config = zenoh::Config::default();
    for (key, value) in [
        ("mode", "\"peer\"".to_owned()),
        ("scouting/multicast/enabled", "false".to_owned()),
        ("scouting/gossip/enabled", "false".to_owned()),
        ("listen/endpoints", "[]".to_owned()),
        ("connect/exit_on_failure", "false".to_owned()),
        ("connect/endpoints", format!("[\"{endpoint}\"]")),
    ] {
        config.insert_json5(key, &value).unwrap();
    }
    zenoh::open(config).wait().unwrap()
}

/// Asks until the learner is up and answers.
fn ask(session: &zenoh::Session, run: &str, request: &[u8]) -> LearnerReply {
    for _ in 0..200 {
        let replies = session
            .get(wire::transport::keys::requests(run))
            .payload(request)
            .timeout(std::time::Duration::from_secs(1))
            .wait()
            .unwrap();
        if let Ok(reply) = replies.recv()
            && let Ok(sample) = reply.into_result()
        {
            return codec::decode(&sample.payload().to_bytes()).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the learner did not answer");
}

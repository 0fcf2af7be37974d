//! The real programs over TLS: certificates from `reins certs`, and what is said when they are
//! missing or wrong.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::{DEMONSTRATIONS, ENV_STEPS, Ledger, Workplace, free_endpoint, run_file};

fn secured() -> Workplace {
    let endpoint = free_endpoint().replace("tcp/", "tls/");
    let run = run_file(ENV_STEPS, &endpoint);
    let workplace =
        Workplace::with_run(&run.replace("[link]\n", "[link]\ncertificates = \"certs\"\n"));
    let said = workplace.must(workplace.reins(&["certs", "certs"]));
    for word in ["learner.key", "actor-0.pem", "certificates = \"certs\"", "ca.key stays"] {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
    workplace
}

#[test]
fn a_run_over_tls_arrives_complete() {
    let workplace = secured();
    workplace.must(workplace.reins_on_run(&["train"], "secured"));
    let ledger = Ledger::of(&workplace.run("secured").records());
    assert_eq!(ledger.demonstrations, DEMONSTRATIONS);
    assert!(ledger.training_steps >= ENV_STEPS, "{ledger:?}");
}

/// Both programs end at once, with these words.
#[track_caller]
fn check_refused(workplace: &Workplace, program: &str, words: &[&str]) {
    let output = workplace.reins_on_run(&[program], "secured").output().unwrap();
    assert!(!output.status.success(), "{program} started");
    let said = String::from_utf8_lossy(&output.stderr);
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_before_anything_is_opened() {
    let workplace = secured();
    let key = workplace.path("certs/learner.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let words = ["link.certificates = \"certs\"", "learner.key", "chmod 600"];
    check_refused(&workplace, "learner", &words);
    fs::remove_file(&key).unwrap();
    check_refused(&workplace, "learner", &["learner.key is not there", "reins certs"]);
}

#[test]
fn certificates_are_never_overwritten_and_another_actor_is_added() {
    let workplace = secured();
    let key = workplace.path("certs/actor-0.key");
    let before = fs::read(&key).unwrap();
    let again = workplace.reins(&["certs", "certs", "--actor", "0"]).output().unwrap();
    assert!(!again.status.success());
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(said.contains("actor-0.pem exists"), "{said}");
    assert_eq!(fs::read(&key).unwrap(), before);
    let said = workplace.must(workplace.reins(&["certs", "certs", "--actor", "1"]));
    assert!(said.contains("actor-1.key") && !said.contains("learner.key"), "{said}");
}

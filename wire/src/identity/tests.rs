//! What `reins certs` makes is taken, and what is wrong with a file is named.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::{authority::Authority, *};
use crate::clock::UnixNanos;

const DAY: u64 = 86_400 * 1_000_000_000;
/// In 2026.
const NOW: UnixNanos = UnixNanos(20_600 * DAY);
const ACTOR: Role = Role::Actor(ActorId(3));

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    issue(folder.path());
    folder
}

fn issue(folder: &Path) {
    let authority = Authority::open(folder, NOW).unwrap();
    authority.issue(Role::Learner, &["localhost".into(), "10.0.0.7".into()]).unwrap();
    authority.issue(ACTOR, &[]).unwrap();
}

fn later(days: u64) -> UnixNanos {
    UnixNanos(NOW.0 + days * DAY)
}

/// After `spoil` the actor's files are refused with these words.
#[track_caller]
fn check_refused(spoil: impl Fn(&Path), words: &[&str]) {
    let folder = folder();
    spoil(folder.path());
    let error = Identity::load(folder.path(), ACTOR, NOW).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "{word:?} is not in {error:?}");
    }
}

#[test]
fn fresh_certificates_are_good_for_two_years_and_no_longer() {
    let folder = folder();
    for role in [Role::Learner, ACTOR] {
        for days in [0, 729] {
            Identity::load(folder.path(), role, later(days)).unwrap();
        }
        let error = Identity::load(folder.path(), role, later(731)).unwrap_err().to_string();
        assert!(error.contains("has expired"), "{error}");
        let before = UnixNanos(NOW.0 - 2 * DAY);
        let error = Identity::load(folder.path(), role, before).unwrap_err().to_string();
        assert!(error.contains("not valid yet"), "{error}");
    }
}

#[test]
fn keys_are_for_their_owner_only_and_nothing_is_overwritten() {
    let folder = folder();
    for key in [authority_key_file(folder.path()), key_file(folder.path(), ACTOR)] {
        assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let before = fs::read(key_file(folder.path(), ACTOR)).unwrap();
    let authority = Authority::open(folder.path(), NOW).unwrap();
    let error = authority.issue(ACTOR, &[]).unwrap_err().to_string();
    assert!(error.contains("actor-3.pem exists"), "{error}");
    assert_eq!(fs::read(key_file(folder.path(), ACTOR)).unwrap(), before);
}

#[test]
fn an_authority_that_exists_signs_another_actor() {
    let folder = folder();
    let another = Role::Actor(ActorId(4));
    Authority::open(folder.path(), later(10)).unwrap().issue(another, &[]).unwrap();
    Identity::load(folder.path(), another, later(10)).unwrap();
}

#[test]
fn half_an_authority_is_refused() {
    let folder = folder();
    fs::remove_file(authority_key_file(folder.path())).unwrap();
    let error = Authority::open(folder.path(), NOW).unwrap_err().to_string();
    assert!(error.contains("ca.key is not"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let remove = |folder: &Path| fs::remove_file(key_file(folder, ACTOR)).unwrap();
    check_refused(remove, &["actor-3.key", "is not there", "reins certs"]);
    let remove = |folder: &Path| fs::remove_file(authority_file(folder)).unwrap();
    check_refused(remove, &["ca.pem", "is not there"]);
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let open = |folder: &Path| {
        let mode = fs::Permissions::from_mode(0o640);
        fs::set_permissions(key_file(folder, ACTOR), mode).unwrap();
    };
    check_refused(open, &["actor-3.key", "other users", "chmod 600"]);
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let swap = |here: &Path| {
        let other = folder();
        fs::copy(authority_file(other.path()), authority_file(here)).unwrap();
    };
    check_refused(swap, &["actor-3.pem", "not signed by", "ca.pem"]);
}

#[test]
fn a_certificate_of_another_role_is_refused() {
    let swap = |folder: &Path| {
        let learner = certificate_file(folder, Role::Learner);
        fs::copy(learner, certificate_file(folder, ACTOR)).unwrap();
    };
    check_refused(swap, &["is of \"learner\"", "\"actor-3\""]);
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let swap = |folder: &Path| {
        fs::copy(key_file(folder, Role::Learner), key_file(folder, ACTOR)).unwrap();
    };
    check_refused(swap, &["actor-3.key", "does not belong to", "actor-3.pem"]);
}

#[test]
fn what_is_no_pem_is_refused() {
    let spoil = |folder: &Path| fs::write(certificate_file(folder, ACTOR), "hello").unwrap();
    check_refused(spoil, &["actor-3.pem", "no certificate in PEM"]);
}

#[track_caller]
fn check_password(text: &str, mode: u32, expected: Result<&str, &str>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.txt");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    match (password_of(ACTOR, &file), expected) {
        (Ok(password), Ok(expected)) => assert_eq!(password.expose(), expected),
        (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
        (got, _) => panic!("{got:?}"),
    }
}

#[test]
fn a_role_finds_its_own_password() {
    check_password("learner:a\n\nactor-3: b:c \n", 0o600, Ok("b:c"));
    check_password("learner:a\n", 0o600, Err("no line \"actor-3:<password>\""));
    check_password("learner:a\nactor-3\n", 0o600, Err("line 2"));
    check_password("actor-3:b\n", 0o644, Err("other users"));
}

#[test]
fn a_password_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.txt");
    fs::write(&file, "actor-3:secret\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(!format!("{:?}", password_of(ACTOR, &file)).contains("secret"));
}

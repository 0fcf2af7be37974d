use super::*;

fn check(fault: &str, expected: &str) {
    let text = format!("[[fault]]\n{fault}");
    let error = FaultScript::from_toml(&text, "faults.toml").expect_err("the script is bad");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_script_of_every_kind_is_read() {
    let text = r#"
        seed = 7
        [[fault]]
        kind = "latency"
        of = "camera"
        camera = "wrist"
        ms = 150
        jitter_ms = 20
        every_s = 20
        for_s = 2.5
        [[fault]]
        kind = "frames_dropped"
        per_minute = 2
        for_s = 1
        share = 0.5
        [[fault]]
        kind = "frames_frozen"
        at_step = 30
        for_s = 1
        [[fault]]
        kind = "teleop_stuck"
        how = "silent"
        at_s = 3
        for_s = 1
        [[fault]]
        kind = "arm_reflex"
        at_s = 3
        [[fault]]
        kind = "arm_lost"
        at_s = 3
        for_s = 1
        [[fault]]
        kind = "link_lost"
        at_s = 3
        for_s = 1
        [[fault]]
        kind = "disk_slow"
        ms = 20
        at_s = 3
        for_s = 1
        [[fault]]
        kind = "disk_full"
        of = "learner"
        at_s = 3
        for_s = 1
        [[fault]]
        kind = "clock_jump"
        at_s = 3
        by_s = -3600
    "#;
    let script = FaultScript::from_toml(text, "faults.toml").expect("a good script");
    assert_eq!((script.seed, script.faults.len()), (7, 10));
    assert_eq!(script.faults[0].every_s, Some(20.0));
    assert_eq!(script.faults[9].by_s, Some(-3600.0));
}

#[test]
fn a_kind_that_does_not_exist() {
    check(
        "kind = \"frames_froze\"\nat_s = 1\nfor_s = 1",
        "faults.toml:2: fault[0].kind = \"frames_froze\" must be \"latency\" or \"frames_dropped\" \
         or \"frames_frozen\" or \"teleop_stuck\" or \"arm_reflex\" or \"arm_lost\" or \
         \"link_lost\" or \"disk_slow\" or \"disk_full\" or \"clock_jump\". Did you mean \
         \"frames_frozen\"?",
    );
}

#[test]
fn a_key_that_nobody_knows() {
    check(
        "kind = \"arm_lost\"\nat_s = 1\nfor_ms = 1",
        "faults.toml:4: fault[0].for_ms = 1 is not a key that reins knows. Did you mean \
         fault[0].for_s?",
    );
}

#[test]
fn a_key_of_another_kind() {
    check(
        "kind = \"arm_lost\"\nat_s = 1\nfor_s = 1\nms = 5",
        "faults.toml:5: fault[0].ms = 5 is nothing that a arm_lost has. Leave it out; a arm_lost \
         may have for_s",
    );
}

#[test]
fn a_key_that_the_kind_needs() {
    check(
        "kind = \"link_lost\"\nat_s = 1",
        "faults.toml:1: fault[0].for_s is missing, and a link_lost needs it. Add it",
    );
}

#[test]
fn two_ways_to_say_when_and_none() {
    let expected = |line| {
        format!(
            "faults.toml:{line}: fault[0] must say when in exactly one way. Give one of at_s, \
             at_step, every_s, per_minute"
        )
    };
    check("kind = \"arm_reflex\"\nat_s = 1\nat_step = 1", &expected(1));
    check("kind = \"arm_reflex\"", &expected(1));
}

#[test]
fn a_fault_that_would_never_end() {
    check(
        "kind = \"link_lost\"\nevery_s = 5\nfor_s = 5",
        "faults.toml:4: fault[0].for_s = 5 is as long as every_s = 5: the fault would never end. \
         Set it below 5, or use at_s",
    );
}

#[test]
fn a_part_that_the_kind_is_not_of() {
    check(
        "kind = \"disk_full\"\nat_s = 1\nfor_s = 5\nof = \"camera\"",
        "faults.toml:5: fault[0].of = \"camera\" is not what a disk_full can be of. Write \
         \"actor\" or \"learner\", or leave it out for both",
    );
}

#[test]
fn a_script_without_a_fault() {
    let error = FaultScript::from_toml("seed = 1", "faults.toml").expect_err("it is empty");
    assert_eq!(
        error.to_string(),
        "faults.toml: fault is not there. Add a [[fault]], or leave --faults out"
    );
}

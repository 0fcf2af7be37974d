//! Tasks for one arm and for two.

use super::*;

const HEAD: &str = "name = \"t\"\ncameras = [\"a\"]\n\
                    [reset]\nposition_m = [0.5, 0, 0.1]\ntravel_z_m = 0.2\n";

fn task(more: &str) -> Result<TaskConfig, String> {
    let text = format!("{HEAD}{more}");
    TaskConfig::from_toml(&text, "task.toml").map_err(|error| error.to_string())
}

#[test]
fn a_task_for_one_arm_has_the_hash_that_it_had() {
    let one = task("").unwrap();
    assert!(!one.to_toml().contains("second"));
    assert_eq!(one.arm_tasks(), std::slice::from_ref(&one));
    assert_eq!((one.arms(), one.grippers(), one.motion_dim()), (1, 0, 6));
}

#[test]
fn of_two_arms_each_has_its_part_of_action_and_observation() {
    let text = "[action]\ndims = \"xyz\"\ngripper = \"discrete\"\n\
                [second.reset]\nposition_m = [0.4, 0.1, 0.1]\ntravel_z_m = 0.3\n";
    let two = task(text).unwrap();
    assert_eq!((two.arms(), two.grippers(), two.motion_dim()), (2, 2, 6));
    let parts = two.arm_tasks();
    assert_eq!(two.action_spec().dim, 2 * parts[0].action_spec().dim);
    assert_eq!(two.proprio_dim(), parts[0].proprio_dim() + parts[1].proprio_dim());
    assert_eq!(parts[0].reset, two.reset);
    assert_eq!((parts[1].reset.position_m[0], parts[1].reset.travel_z_m), (0.4, 0.3));
    // What the second does not say are the defaults.
    assert_eq!(parts[1].reset.timeout_steps, 200);
    assert_eq!(
        two.action_names(),
        ["x", "y", "z", "gripper", "second x", "second y", "second z", "second gripper"]
    );
    assert_eq!(TaskConfig::from_toml(&two.to_toml(), "again.toml").unwrap(), two);
}

#[test]
fn what_a_second_reset_lacks_is_told_with_its_whole_key() {
    let refused = |more: &str, words: &str| {
        let error = task(more).unwrap_err();
        assert!(error.contains(words), "{error}");
    };
    refused("[second]\n", "second.reset.position_m is missing");
    refused("[second.reset]\nposition_m = [0, 0, 0]\n", "second.reset.travel_z_m is missing");
    refused("[second.action]\ndims = \"xyz\"\n", "second.action is not a key");
    let low = "[second.reset]\nposition_m = [0, 0, 0.4]\ntravel_z_m = 0.3\n";
    refused(low, "second.reset.travel_z_m = 0.3 is below the highest start pose (0.4000 m)");
}

//! Every key of a task file.

use std::f64::consts::PI;

use crate::schema::{
    Allowed::{self, Bool, Integer, Like, List, Number, OneOf, Text, Vector},
    Key, key,
};

const PROPRIO: Allowed = OneOf(&[
    "position",
    "rotation",
    "linear-velocity",
    "angular-velocity",
    "force",
    "torque",
    "position-lag",
    "rotation-lag",
    "gripper",
]);

/// What a task says of the second arm alone.
pub(super) const SECOND_TABLES: &[&str] = &["reset"];

pub(super) const KEYS: &[Key] = &[
    key("name", "", Text, "what people call the task").required(),
    key("step_rate_hz", "Hz", Number(1.0, 100.0), "policy decisions per second"),
    key("episode_steps", "steps", Integer(1, 100_000), "after so many steps an episode is truncated"),
    key(
        "cameras",
        "",
        List(&Text),
        "cameras of the cell that the policy sees, in this order; may be empty",
    )
    .required(),
    key(
        "observation.frame",
        "",
        OneOf(&["rotation", "hil-serl-adjoint"]),
        "how velocities and actions change between base and end-effector frame; the second \
         reproduces HIL-SERL with its defects",
    ),
    key("observation.image_width", "px", Integer(8, 2048), "width of the policy's pictures"),
    key("observation.image_height", "px", Integer(8, 2048), "height of the policy's pictures"),
    key(
        "observation.proprio",
        "",
        List(&PROPRIO),
        "what the proprioception vector holds, in this order",
    ),
    key(
        "observation.wrench_clip",
        "",
        Number(0.1, 1000.0),
        "scaled forces and torques are kept within plus or minus this",
    ),
    key("observation.scale.position_m", "m", Number(1e-6, 1e3), "divisor of `position`"),
    key("observation.scale.rotation_rad", "rad", Number(1e-6, 1e3), "divisor of `rotation`"),
    key(
        "observation.scale.linear_velocity_mps",
        "m/s",
        Number(1e-6, 1e3),
        "divisor of `linear-velocity`",
    ),
    key(
        "observation.scale.angular_velocity_radps",
        "rad/s",
        Number(1e-6, 1e3),
        "divisor of `angular-velocity`",
    ),
    key("observation.scale.force_n", "N", Number(1e-6, 1e4), "divisor of `force`"),
    key("observation.scale.torque_nm", "Nm", Number(1e-6, 1e4), "divisor of `torque`"),
    key("observation.scale.position_lag_m", "m", Number(1e-6, 1e3), "divisor of `position-lag`"),
    key("observation.scale.rotation_lag_rad", "rad", Number(1e-6, 1e3), "divisor of `rotation-lag`"),
    key(
        "action.dims",
        "",
        OneOf(&["xyz", "xyz+yaw", "xyz+rotation"]),
        "what the policy moves; with `xyz` the tool keeps the orientation of the start pose, with `xyz+yaw` \
         it turns about its own z axis alone",
    ),
    key("action.translation_m", "m", Number(0.0001, 0.2), "move that an entry of 1 stands for"),
    key("action.rotation_rad", "rad", Number(0.0001, 1.0), "turn that an entry of 1 stands for"),
    key(
        "action.delta_from",
        "",
        OneOf(&["target", "measured"]),
        "what an action moves: the previous target or the measured pose",
    ),
    key(
        "action.gripper",
        "",
        OneOf(&["none", "discrete"]),
        "whether the policy commands the gripper; `discrete` adds close, stay or open to each step, \
         learned by a critic of its own",
    ),
    key(
        "action.gripper_penalty",
        "",
        Number(0.0, 1000.0),
        "taken off that critic's reward in a step that closes an open gripper or opens a closed one",
    ),
    key(
        "reset.position_m",
        "m",
        Vector(3, &Number(-10.0, 10.0)),
        "middle of the start positions; base frame",
    )
    .required(),
    key(
        "reset.rpy_rad",
        "rad",
        Vector(3, &Number(-2.0 * PI, 2.0 * PI)),
        "orientation of the start pose; roll, pitch, yaw about fixed axes",
    ),
    key(
        "reset.random_m",
        "m",
        Vector(3, &Number(0.0, 1.0)),
        "start positions are uniform within plus or minus this",
    ),
    key(
        "reset.random_yaw_rad",
        "rad",
        Number(0.0, PI),
        "start orientations are turned about the tool's z by up to plus or minus this",
    ),
    key(
        "reset.travel_z_m",
        "m",
        Number(-10.0, 10.0),
        "height at which the arm goes over to the start pose, after lifting straight up; base frame",
    )
    .required(),
    key("reset.speed_mps", "m/s", Number(0.001, 1.0), "speed of a reset"),
    key("reset.speed_radps", "rad/s", Number(0.001, 3.0), "turning speed of a reset"),
    key("reset.tolerance_m", "m", Number(0.0001, 0.05), "a pose this near counts as reached"),
    key("reset.tolerance_rad", "rad", Number(0.001, 0.5), "the same for the orientation"),
    key(
        "reset.timeout_steps",
        "steps",
        Integer(1, 10_000),
        "a reset that takes more steps is given up with an error",
    ),
    key(
        "second",
        "",
        Like(SECOND_TABLES),
        "makes it a task for two arms: `[second.reset]` says where the second begins, with the keys of \
         `[reset]`; all else holds for both",
    ),
    key(
        "reward.kind",
        "",
        OneOf(&["sensor", "classifier"]),
        "who says that the task is done: the cell's own sensor or the reward classifier; a person's \
         mark wins over either",
    ),
    key("reward.success", "", Number(-1000.0, 1000.0), "reward of a step that succeeds"),
    key("reward.step_penalty", "", Number(0.0, 1000.0), "taken off the reward of each step"),
    key("reward.terminate_on_success", "", Bool, "whether success ends the episode"),
    key(
        "reward.classifier.file",
        "",
        Text,
        "what `reins classifier train` wrote; a run keeps a copy of its own",
    )
    .required(),
    key(
        "reward.classifier.debounce_frames",
        "frames",
        Integer(1, 100),
        "so many frames in a row must show success; 2 when left out",
    ),
    key(
        "reward.classifier.sha256",
        "",
        Text,
        "checksum of the file; written into a run's task file, so that all parts of the run judge \
         by the same classifier",
    ),
    key(
        "reward.gate.position_m",
        "m",
        Vector(3, &Number(-10.0, 10.0)),
        "the task's target: where the TCP is when it is done; base frame. With [reward.gate] the \
         classifier is believed only near it",
    )
    .required(),
    key(
        "reward.gate.rpy_rad",
        "rad",
        Vector(3, &Number(-2.0 * PI, 2.0 * PI)),
        "its orientation; that of the start pose when left out",
    ),
    key(
        "reward.gate.tolerance_m",
        "m",
        Vector(3, &Number(0.0, 10.0)),
        "how far from it the TCP may be, along each axis of the base frame",
    )
    .required(),
    key(
        "reward.gate.tolerance_rad",
        "rad",
        Number(0.0, 3.2),
        "how far it may be turned away from it; any way when left out",
    ),
];

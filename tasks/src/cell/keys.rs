//! Every key of a cell file.

use std::f64::consts::PI;

use crate::schema::{
    Allowed::{Integer, Number, OneOf, Table, Text, Vector},
    Key, key,
};

pub(super) const KEYS: &[Key] = &[
    key("name", "", Text, "what people call the cell").required(),
    key(
        "arm.driver",
        "",
        OneOf(&["sim"]),
        "what moves the arm; `sim` is the simulated cell",
    ),
    key(
        "gripper.driver",
        "",
        OneOf(&["none", "sim"]),
        "the gripper at the arm's tool; `sim` is the simulated cell's",
    ),
    key("gripper.force_n", "N", Number(0.1, 500.0), "how hard it grips"),
    key("gripper.speed_mps", "m/s", Number(0.001, 1.0), "how fast its jaws move"),
    key(
        "gripper.change_min_ms",
        "ms",
        Integer(0, 10_000),
        "shortest time from opening to closing or back; what comes sooner is held back",
    ),
    key(
        "limits.workspace_min_m",
        "m",
        Vector(3, &Number(-10.0, 10.0)),
        "lower corner of the box that targets are kept in; base frame",
    )
    .required(),
    key(
        "limits.workspace_max_m",
        "m",
        Vector(3, &Number(-10.0, 10.0)),
        "upper corner of the box that targets are kept in; base frame",
    )
    .required(),
    key(
        "limits.orientation_rpy_rad",
        "rad",
        Vector(3, &Number(-2.0 * PI, 2.0 * PI)),
        "orientation about which targets may tilt; roll, pitch, yaw about fixed axes",
    ),
    key(
        "limits.tilt_max_rad",
        "rad",
        Number(0.0, PI),
        "how far the tool's z axis may lean away from that of the orientation",
    ),
    key(
        "limits.yaw_max_rad",
        "rad",
        Number(0.0, PI),
        "how far the tool may be turned about its own z axis; pi is no limit",
    ),
    key("limits.step_max_m", "m", Number(0.0001, 0.5), "largest move of one command"),
    key("limits.step_max_rad", "rad", Number(0.0001, 2.0), "largest turn of one command"),
    key("limits.speed_max_mps", "m/s", Number(0.001, 2.0), "fastest move of the target"),
    key("limits.speed_max_radps", "rad/s", Number(0.001, 6.0), "fastest turn of the target"),
    key(
        "limits.acceleration_max_mps2",
        "m/s2",
        Number(0.01, 100.0),
        "how fast the target's speed may change",
    ),
    key("limits.acceleration_max_radps2", "rad/s2", Number(0.01, 500.0), "the same for turning"),
    key(
        "limits.jerk_max_mps3",
        "m/s3",
        Number(0.1, 100_000.0),
        "how fast the target's acceleration may change",
    ),
    key("limits.jerk_max_radps3", "rad/s3", Number(0.1, 500_000.0), "the same for turning"),
    key(
        "limits.lead_max_m",
        "m",
        Number(0.0001, 0.5),
        "how far the target may be ahead of the measured pose",
    ),
    key("limits.lead_max_rad", "rad", Number(0.0001, 2.0), "the same for the orientation"),
    key("limits.force_max_n", "N", Number(0.1, 500.0), "force on the tool that stops the motion"),
    key("limits.torque_max_nm", "Nm", Number(0.01, 200.0), "torque on the tool that does so"),
    key(
        "limits.force_time_ms",
        "ms",
        Integer(0, 1000),
        "how long force or torque must be too large",
    ),
    key(
        "limits.back_off_m",
        "m",
        Number(0.0, 0.1),
        "way back along the last motion after that; 0 only holds",
    ),
    key(
        "limits.joint_margin_rad",
        "rad",
        Number(0.0, 1.0),
        "no joint is driven nearer to its end, where the arm says where that is",
    ),
    key(
        "limits.condition_slow",
        "",
        Number(1.0, 10_000.0),
        "condition number of the Jacobian from which on the arm goes slower, unless away from the singular pose",
    ),
    key(
        "limits.condition_stop",
        "",
        Number(1.0, 10_000.0),
        "condition number of the Jacobian at which the arm is held, unless it moves away from the singular pose",
    ),
    key(
        "limits.state_age_max_ms",
        "ms",
        Integer(1, 1000),
        "age at which the arm's state is too old to move on: the arm holds",
    ),
    key(
        "limits.state_lost_ms",
        "ms",
        Integer(2, 5000),
        "age at which the arm's state counts as lost: the arm is stopped",
    ),
    key(
        "limits.lease_ms",
        "ms",
        Integer(10, 2000),
        "longest time that a command is valid; then the arm holds its pose",
    ),
    key(
        "limits.stop_after_ms",
        "ms",
        Integer(0, 60_000),
        "an arm that holds because nobody commands it is stopped after this time",
    ),
    key(
        "limits.takeover_ramp_ms",
        "ms",
        Integer(0, 2000),
        "when another hand takes over, the speed grows from nothing over this time",
    ),
    key("camera[].name", "", Text, "name that task files use").required(),
    key(
        "camera[].driver",
        "",
        OneOf(&["sim", "device"]),
        "where pictures come from; `sim` is the simulated cell, `device` another process",
    )
    .required(),
    key("camera[].width", "px", Integer(8, 2048), "width of the picture after crop and scaling"),
    key("camera[].height", "px", Integer(8, 2048), "height of the picture after crop and scaling"),
    key(
        "camera[].age_max_ms",
        "ms",
        Integer(1, 5000),
        "age at which the newest picture is too old to act on",
    ),
    key(
        "camera[].crop.left",
        "px",
        Integer(0, 8192),
        "left edge of what is kept of the device's picture",
    )
    .required(),
    key("camera[].crop.top", "px", Integer(0, 8192), "upper edge of what is kept").required(),
    key("camera[].crop.width", "px", Integer(8, 8192), "width of what is kept").required(),
    key("camera[].crop.height", "px", Integer(8, 8192), "height of what is kept").required(),
    key(
        "teleop.driver",
        "",
        OneOf(&["none", "scripted", "device"]),
        "the person's hand; `scripted` is the simulated operator, `device` that of another process",
    ),
    key(
        "teleop.age_max_ms",
        "ms",
        Integer(1, 5000),
        "a device that is silent for longer counts as lost",
    ),
    key(
        "teleop.release_hold_ms",
        "ms",
        Integer(0, 10_000),
        "rest this long gives control back to the policy",
    ),
    key(
        "fixture.driver",
        "",
        OneOf(&["sim", "person", "device"]),
        "who prepares the work-piece; a `person` is asked to, and has `fixture.wait_s`",
    ),
    key("fixture.wait_s", "s", Number(0.0, 600.0), "how long a person has to prepare the work-piece"),
    key(
        "success.driver",
        "",
        OneOf(&["none", "sim", "device"]),
        "what sees that the task is done; with `none` the classifier or a person's mark decides",
    ),
    key(
        "device.socket",
        "",
        Text,
        "where `reins device` or `reins serve-cell` has this cell's other devices",
    ),
    key(
        "device.clock",
        "",
        OneOf(&["real", "simulated"]),
        "`simulated`: the other process's time passes as this one lets it",
    ),
    key("sim", "", Table, "settings of the simulated cell, checked by the simulator"),
];

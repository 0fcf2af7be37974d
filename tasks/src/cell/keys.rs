//! Every key of a cell file.

use std::f64::consts::PI;

use super::second;
use crate::schema::{
    Allowed::{self, Bool, Either, Integer, Like, List, Number, OneOf, Table, Text, Vector},
    Key, key,
};

/// Of a SpaceMouse's cap, with their signs.
const AXES: &[&str] =
    &["+x", "-x", "+y", "-y", "+z", "-z", "+rx", "-rx", "+ry", "-ry", "+rz", "-rz", "0"];

const ROLES: &[&str] = &[
    "none",
    "gripper-close",
    "gripper-open",
    "gripper-toggle",
    "mark-success",
    "mark-failure",
    "intervene",
];

/// Of a gamepad, by where they are.
const BUTTONS: &[&str] = &[
    "south",
    "east",
    "north",
    "west",
    "left-shoulder",
    "right-shoulder",
    "left-trigger",
    "right-trigger",
    "select",
    "start",
    "left-stick",
    "right-stick",
    "up",
    "down",
    "left",
    "right",
];

const PAD: Allowed = Either(&[OneOf(BUTTONS), OneOf(&["none"])]);

pub(super) const KEYS: &[Key] = &[
    key("name", "", Text, "what people call the cell").required(),
    key(
        "arm.driver",
        "",
        OneOf(&["sim", "serl-http", "ur", "xarm", "franka", "so101"]),
        "what moves the arm; `sim` is the simulated cell, `serl-http` HIL-SERL's robot server, `ur` Universal \
         Robots, `xarm` UFACTORY, `franka` a Franka without ROS, `so101` the arm of LeRobot",
    ),
    key(
        "gripper.driver",
        "",
        OneOf(&["none", "sim", "serl-http", "robotiq", "franka", "so101"]),
        "the gripper at the arm's tool; `sim` is the simulated cell's, `serl-http` that of HIL-SERL's robot server, \
         `franka` the Franka hand, `so101` that of an arm of that driver",
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
    key(
        "limits.camera_skew_max_ms",
        "ms",
        Integer(1, 5000),
        "a camera whose picture is older by more than another's in the same step counts as late",
    ),
    key("camera[].name", "", Text, "name that task files use").required(),
    key(
        "camera[].driver",
        "",
        OneOf(&["sim", "device", "v4l2", "video-file", "images", "http", "gstreamer", "realsense"]),
        "where pictures come from; `sim` is the simulated cell, `device` another process, the others are opened \
         here as `camera.capture` says",
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
        "camera[].capture.source",
        "",
        Text,
        "what is opened; `v4l2`: a node such as /dev/video0, or its name under /dev/v4l/by-id or by-path; \
         `video-file`: a path; `images`: a pattern such as frames/%04d.png; `http`: address of an MJPEG \
         stream; `gstreamer`: a pipeline that ends in appsink; `realsense`: a serial number, `any`, or a recording \
         (.db3) of Intel's SDK. Cameras with the same source share the device",
    )
    .required(),
    key(
        "camera[].capture.width",
        "px",
        Integer(8, 8192),
        "width of the device's own picture: asked of a V4L2 camera or RealSense; another width is an error",
    ),
    key("camera[].capture.height", "px", Integer(8, 8192), "height of the device's own picture"),
    key(
        "camera[].capture.fps",
        "1/s",
        Number(0.1, 1000.0),
        "pictures per second: asked of a V4L2 camera or RealSense, the pace of a recording",
    ),
    key(
        "camera[].capture.pixel_format",
        "",
        Text,
        "four letters, asked of a V4L2 camera; several cameras on one USB 2 bus need MJPG",
    ),
    key(
        "camera[].capture.exposure_us",
        "us",
        Number(1.0, 10_000_000.0),
        "fixed exposure of a V4L2 camera, in steps of 100, or RealSense; without it the camera chooses",
    ),
    key(
        "camera[].capture.gain",
        "",
        Number(0.0, 1_000_000.0),
        "fixed gain of a V4L2 camera or RealSense, in its own unit",
    ),
    key(
        "camera[].capture.white_balance_k",
        "K",
        Number(1000.0, 20_000.0),
        "fixed white balance of a V4L2 camera or RealSense; without it the camera chooses",
    ),
    key(
        "camera[].capture.silent_max_ms",
        "ms",
        Integer(100, 60_000),
        "a device that gives no picture for so long is closed and opened again; 2000 if left out",
    ),
    key(
        "camera[].capture.repeat",
        "",
        Bool,
        "whether a recording begins again at its end; true if left out",
    ),
    key(
        "teleop.driver",
        "",
        OneOf(&["none", "scripted", "device", "spacemouse", "gamepad", "leader"]),
        "the person's hand; `scripted` is the simulated operator, `device` that of another process, `leader` an \
         SO-101 that a person moves",
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
        "teleop.spacemouse.source",
        "",
        OneOf(&["hidraw", "spacenavd"]),
        "`hidraw` reads the device itself, `spacenavd` listens to the daemon",
    ),
    key(
        "teleop.spacemouse.usb_path",
        "",
        Text,
        "which of several: where it is plugged in, `usb-0000:00:14.0-2` as `reins probe` shows it",
    ),
    key("teleop.spacemouse.serial", "", Text, "which of several: its serial number, if it has one"),
    key("teleop.spacemouse.socket", "", Text, "where spacenavd listens"),
    key(
        "teleop.spacemouse.axes",
        "",
        Vector(6, &OneOf(AXES)),
        "the cap's axes that move the arm along x, y, z and turn it about them, base frame; the cap's x is \
         to the right, y towards the person, z down. `0` is none",
    ),
    key(
        "teleop.spacemouse.yaw_rad",
        "rad",
        Number(-2.0 * PI, 2.0 * PI),
        "turns the push about the base's z axis, for a person who stands elsewhere; with the default axes \
         0 is opposite the arm, pi behind it",
    ),
    key(
        "teleop.spacemouse.dead_zone",
        "",
        Number(0.0, 0.9),
        "share of a full push that is none, of the linear and of the angular part each",
    ),
    key(
        "teleop.spacemouse.release_zone",
        "",
        Number(0.0, 0.9),
        "share of a full push at which a hand that was there is gone",
    ),
    key(
        "teleop.spacemouse.engage_reports",
        "",
        Integer(1, 100),
        "poses in a row beyond the dead zone before a hand is there. HIL-SERL: 1, both zones 0, hold_ms 0",
    ),
    key(
        "teleop.spacemouse.hold_ms",
        "ms",
        Integer(0, 5000),
        "so long a hand stays after its push; a touch between two steps is noticed so. \
         `teleop.release_hold_ms` comes on top",
    ),
    key(
        "teleop.spacemouse.silence_max_ms",
        "ms",
        Integer(20, 2000),
        "a push that is not reported for longer is lost: the arm is held",
    ),
    key(
        "teleop.spacemouse.buttons",
        "",
        List(&OneOf(ROLES)),
        "what each button does, the first first; where one says `intervene`, the cap moves the arm only \
         while that is held",
    ),
    key(
        "teleop.gamepad.name",
        "",
        Text,
        "which of several: a part of its name; the first otherwise",
    ),
    key(
        "teleop.gamepad.dead_zone",
        "",
        Number(0.0, 0.9),
        "share of a stick's way about its middle that is none",
    ),
    key(
        "teleop.gamepad.yaw_rad",
        "rad",
        Number(-2.0 * PI, 2.0 * PI),
        "turns the push about the base's z axis; 0 for a person behind the arm, pi for one opposite it",
    ),
    key(
        "teleop.gamepad.intervene",
        "",
        OneOf(BUTTONS),
        "the person drives while it is held: left stick forwards and sideways, right stick up, down and \
         about z",
    ),
    key("teleop.gamepad.turn", "", PAD, "while it is held the left stick turns about x and y"),
    key("teleop.gamepad.gripper_close", "", PAD, "closes the gripper"),
    key("teleop.gamepad.gripper_open", "", PAD, "opens it"),
    key("teleop.gamepad.gripper_toggle", "", PAD, "closes and opens it in turn"),
    key("teleop.gamepad.mark_success", "", PAD, "says that what is seen is success"),
    key("teleop.gamepad.mark_failure", "", PAD, "says that it is failure"),
    key(
        "teleop.leader.device",
        "",
        Text,
        "the serial line of the leader's servos, better a name under `/dev/serial/by-id`",
    )
    .required(),
    key(
        "teleop.leader.calibration",
        "",
        Text,
        "the file that `lerobot-calibrate` wrote for the leader",
    )
    .required(),
    key(
        "teleop.leader.speed_full_mps",
        "m/s",
        Number(0.01, 2.0),
        "speed of its tool that is a full command: with `action.translation_m` times the rate the arm goes as \
         far as the leader",
    ),
    key(
        "teleop.leader.speed_full_radps",
        "rad/s",
        Number(0.05, 10.0),
        "the same for turns: with `action.rotation_rad` times the rate",
    ),
    key(
        "teleop.leader.still_mps",
        "m/s",
        Number(0.001, 0.5),
        "slower than this, and than `still_radps`, it is not moved",
    ),
    key("teleop.leader.still_radps", "rad/s", Number(0.01, 3.0), "the same for turns"),
    key(
        "teleop.leader.hold_ms",
        "ms",
        Integer(0, 5000),
        "stillness this long ends a push; `teleop.release_hold_ms` comes on top",
    ),
    key(
        "teleop.leader.yaw_rad",
        "rad",
        Number(-PI, PI),
        "how the leader stands to the arm, about the base's z axis",
    ),
    key(
        "teleop.leader.close_below",
        "",
        Number(0.0, 1.0),
        "how far open its trigger is (0 to 1) below which it closes the gripper",
    ),
    key("teleop.leader.open_above", "", Number(0.0, 1.0), "and above which it opens it"),
    key(
        "fixture.driver",
        "",
        OneOf(&["sim", "person", "device"]),
        "who prepares the work-piece; a `person` is asked to, and has `fixture.wait_s`",
    ),
    key(
        "fixture.wait_s",
        "s",
        Number(0.0, 600.0),
        "how long a person has to prepare the work-piece",
    ),
    key(
        "success.driver",
        "",
        OneOf(&["none", "sim", "device"]),
        "what sees that the task is done; with `none` the classifier or a person's mark decides",
    ),
    key("ur.host", "", Text, "name or address of the UR controller").required(),
    key("ur.rtde_port", "", Integer(1, 65_535), "port of its RTDE interface"),
    key("ur.dashboard_port", "", Integer(1, 65_535), "port of its dashboard server"),
    key("ur.script_port", "", Integer(1, 65_535), "port of its secondary interface"),
    key(
        "ur.reverse_port",
        "",
        Integer(0, 65_535),
        "where this host listens for the arm's program; 0 takes a free port",
    ),
    key(
        "ur.reverse_host",
        "",
        Text,
        "this host as the controller sees it; without it the address of the connection to it",
    ),
    key(
        "ur.rate_hz",
        "Hz",
        Number(10.0, 500.0),
        "how often it tells its state: at most 125 on CB3, 500 on e-Series",
    ),
    key("ur.lookahead_s", "s", Number(0.03, 0.2), "how far ahead `servoj` smooths"),
    key("ur.gain", "", Number(100.0, 2000.0), "how hard `servoj` follows"),
    key("ur.force", "", Bool, "zero the force sensor at the start and use what it says"),
    key(
        "ur.speed_fraction_min",
        "",
        Number(0.0, 1.0),
        "with the speed slider lower than this the arm takes no command",
    ),
    key("xarm.host", "", Text, "name or address of the control box").required(),
    key("xarm.command_port", "", Integer(1, 65_535), "port of its commands"),
    key("xarm.report_port", "", Integer(1, 65_535), "port of its real-time report"),
    key("xarm.joints", "", Integer(5, 7), "number of joints: 6 for a Lite 6"),
    key("franka.host", "", Text, "name or address of the robot's control box").required(),
    key(
        "franka.real_time",
        "",
        Bool,
        "refuse a machine without real-time kernel, priority and locked memory; false only warns",
    ),
    key(
        "franka.collision_force_n",
        "N",
        Number(1.0, 200.0),
        "from which force on the robot stops by itself",
    ),
    key(
        "franka.collision_torque_nm",
        "Nm",
        Number(1.0, 100.0),
        "the same for the torque of any joint",
    ),
    key(
        "franka.reset_joints_rad",
        "rad",
        Vector(7, &Number(-4.6, 4.6)),
        "where `reins joint-reset` brings the joints",
    ),
    key("franka.reset_speed_radps", "rad/s", Number(0.01, 2.0), "how fast a joint goes then at most"),
    key(
        "franka.hand_homing",
        "",
        Bool,
        "measure the hand's fingers at the start: its jaws close and open once",
    ),
    key(
        "franka.hand_width_m",
        "m",
        Number(0.01, 0.2),
        "between the hand's open jaws, until it has measured that itself",
    ),
    key(
        "franka.compliance",
        "",
        Table,
        "how stiff its controller is: the names under `serl_http.compliance`; what is not named is SERL's default",
    ),
    key(
        "so101.device",
        "",
        Text,
        "the serial line of its servos, better a name under `/dev/serial/by-id`",
    )
    .required(),
    key("so101.calibration", "", Text, "the file that `lerobot-calibrate` wrote for this arm")
        .required(),
    key(
        "so101.rate_hz",
        "Hz",
        Number(30.0, 200.0),
        "how often its servos are looked at and sent goals",
    ),
    key("so101.joint_speed_max_radps", "rad/s", Number(0.1, 4.0), "how fast a joint may go"),
    key(
        "so101.torque_share",
        "",
        Number(0.05, 1.0),
        "how much of their torque the joints' servos may use; the gripper's uses half at most",
    ),
    key(
        "so101.stall_torque_nm",
        "Nm",
        Number(0.5, 6.0),
        "what a servo has in all, for the gripper's force: 1.9 with 7.4 V, 2.9 those for 12 V",
    ),
    key(
        "robotiq.link",
        "",
        OneOf(&["socket", "modbus-tcp", "modbus-rtu"]),
        "how the gripper is reached; `socket` is that of its URCap on a UR controller",
    ),
    key(
        "robotiq.host",
        "",
        Text,
        "name or address of the controller; without it that of `ur.host`",
    ),
    key("robotiq.port", "", Integer(1, 65_535), "without it 63352, or 502 for Modbus TCP"),
    key("robotiq.device", "", Text, "the serial line of Modbus RTU"),
    key("robotiq.slave", "", Integer(1, 247), "without it 9, or 2 for Modbus TCP"),
    key(
        "robotiq.registers",
        "",
        Vector(2, &Integer(0, 65_535)),
        "of Modbus TCP: first register of orders and of the status; [1000, 2000] on most gateways",
    ),
    key(
        "robotiq.model",
        "",
        OneOf(&["2f-85", "2f-140"]),
        "which forces and speeds its registers mean",
    ),
    key("robotiq.open_at", "", Integer(0, 254), "position that it says of open jaws"),
    key(
        "robotiq.closed_at",
        "",
        Integer(1, 255),
        "position that it says of jaws closed on nothing",
    ),
    key("robotiq.activation_s", "s", Number(0.1, 60.0), "how long its activation may take"),
    key(
        "serl_http.url",
        "",
        Text,
        "where HIL-SERL's robot server answers, `http://172.16.0.1:5000` for example",
    )
    .required(),
    key(
        "serl_http.state_rate_hz",
        "Hz",
        Number(1.0, 1000.0),
        "how often it is asked for the state",
    ),
    key(
        "serl_http.pose_rate_hz",
        "Hz",
        Number(1.0, 1000.0),
        "how often it is sent a pose at most; the newest one counts",
    ),
    key(
        "serl_http.timeout_ms",
        "ms",
        Integer(10, 900),
        "a server that does not answer for so long is gone",
    ),
    key(
        "serl_http.stuck_ms",
        "ms",
        Integer(0, 10_000),
        "joints that stay the same to the bit for so long are an old state; 0 believes them",
    ),
    key(
        "serl_http.wrench",
        "",
        OneOf(&["of-tool", "on-tool", "none"]),
        "what its force and torque are: what the tool exerts, in the tool's frame (libfranka); what is \
         exerted on the tool, in the base frame; or nothing to rely on",
    ),
    key("serl_http.gripper_closed", "", Number(-1.0, 2.0), "what it says of a closed gripper"),
    key(
        "serl_http.gripper_open",
        "",
        Number(-1.0, 2.0),
        "what it says of an open gripper; about 0.31 for a Robotiq",
    ),
    key(
        "serl_http.gripper_by",
        "",
        OneOf(&["open-close", "move"]),
        "the routes that the gripper is told by: `/open_gripper` and `/close_gripper`, or `/move_gripper`",
    ),
    key(
        "serl_http.gripper_close_target",
        "",
        Integer(0, 255),
        "what `/move_gripper` is sent to close",
    ),
    key(
        "serl_http.gripper_open_target",
        "",
        Integer(0, 255),
        "what `/move_gripper` is sent to open",
    ),
    key(
        "serl_http.gripper_latches",
        "",
        Bool,
        "the server forgets a first `open` since it believes that it has opened; `/move_gripper` then opens",
    ),
    key(
        "serl_http.compliance.translational_stiffness",
        "N/m",
        Number(0.0, 6000.0),
        "spring of the controller",
    ),
    key("serl_http.compliance.translational_damping", "Ns/m", Number(0.0, 400.0), "its damping"),
    key(
        "serl_http.compliance.rotational_stiffness",
        "Nm/rad",
        Number(0.0, 300.0),
        "the same for turning",
    ),
    key("serl_http.compliance.rotational_damping", "Nms/rad", Number(0.0, 30.0), "its damping"),
    key(
        "serl_http.compliance.nullspace_stiffness",
        "",
        Number(0.0, 100.0),
        "spring towards the joints at the start",
    ),
    key(
        "serl_http.compliance.joint1_nullspace_stiffness",
        "",
        Number(0.0, 100.0),
        "the same for the first joint",
    ),
    key(
        "serl_http.compliance.translational_clip_x",
        "m",
        Number(0.0, 0.1),
        "how far the spring is drawn at most, x",
    ),
    key(
        "serl_http.compliance.translational_clip_y",
        "m",
        Number(0.0, 0.1),
        "how far the spring is drawn at most, y",
    ),
    key(
        "serl_http.compliance.translational_clip_z",
        "m",
        Number(0.0, 0.1),
        "how far the spring is drawn at most, z",
    ),
    key(
        "serl_http.compliance.translational_clip_neg_x",
        "m",
        Number(0.0, 0.1),
        "the same against the axis, x",
    ),
    key(
        "serl_http.compliance.translational_clip_neg_y",
        "m",
        Number(0.0, 0.1),
        "the same against the axis, y",
    ),
    key(
        "serl_http.compliance.translational_clip_neg_z",
        "m",
        Number(0.0, 0.1),
        "the same against the axis, z",
    ),
    key(
        "serl_http.compliance.rotational_clip_x",
        "",
        Number(0.0, 0.1),
        "half the angle that it is turned at most, x",
    ),
    key(
        "serl_http.compliance.rotational_clip_y",
        "",
        Number(0.0, 0.1),
        "half the angle that it is turned at most, y",
    ),
    key(
        "serl_http.compliance.rotational_clip_z",
        "",
        Number(0.0, 0.1),
        "half the angle that it is turned at most, z",
    ),
    key(
        "serl_http.compliance.rotational_clip_neg_x",
        "",
        Number(0.0, 0.1),
        "the same against the axis, x",
    ),
    key(
        "serl_http.compliance.rotational_clip_neg_y",
        "",
        Number(0.0, 0.1),
        "the same against the axis, y",
    ),
    key(
        "serl_http.compliance.rotational_clip_neg_z",
        "",
        Number(0.0, 0.1),
        "the same against the axis, z",
    ),
    key(
        "serl_http.compliance.translational_Ki",
        "",
        Number(0.0, 100.0),
        "integral part of the controller",
    ),
    key("serl_http.compliance.rotational_Ki", "", Number(0.0, 100.0), "the same for turning"),
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
    key(
        "second",
        "",
        Like(second::TABLES),
        "the second arm of a pair: `[second.arm]`, `[second.limits]` and so on, each with the keys of the \
         first arm's table; docs/two-arms.md",
    ),
    key("sim", "", Table, "settings of the simulated cell, checked by the simulator"),
];

//! The scene as MJCF text, made from a typed preset. Never loads a model or steps one.
//!
//! The values of the insertions are those of the RAM insertion twin: a plate of 32 x 8 x 50 mm held
//! rigidly, and a block of 80 x 60 x 25 mm with a slot 20 mm deep that is wider by the clearance on
//! each side.

use std::f64::consts::{FRAC_PI_4, PI};

use nalgebra::{UnitQuaternion, Vector3};
use serde::Deserialize;
use wire::geometry::Pose;

use crate::impedance::JOINTS;

pub(crate) mod pick_cube;
pub(crate) mod usb;

/// Length of one physics tick: 500 Hz.
pub(crate) const TICK_NS: u64 = 2_000_000;

const PEG_HALF_M: [f64; 3] = [0.016, 0.004, 0.025];
const BLOCK_HALF_M: [f64; 3] = [0.040, 0.030, 0.0125];
const SLOT_DEPTH_M: f64 = 0.020;
/// Where the socket stands when nothing is randomised (m, base frame): the middle of its top.
const SOCKET_CENTRE_M: [f64; 3] = [0.5, 0.0, 2.0 * BLOCK_HALF_M[2]];
const SOCKET_OFFSET_MAX_M: f64 = 0.020;
/// From here on down the tip counts as seated.
const SEATED_DEPTH_M: f64 = 0.015;
const SEATED_SLACK_M: f64 = 0.0015;

/// What there is to do, and how hard the insertion is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// 1.5 mm of clearance per side, the socket never turned: made for translation alone.
    Easy,
    /// 1.0 mm of clearance per side, the socket turned by up to 6 degrees.
    #[default]
    Default,
    /// 0.5 mm of clearance per side, the socket turned by up to 6 degrees.
    Hard,
    /// No insertion: a gripper, and a cube to be grasped and lifted. As in gym-hil.
    PickCube,
    /// A gripper, and a stick that stands in a holder: to be grasped, inserted in a port with 1.0 mm of
    /// clearance per side, turned by up to 6 degrees, and let go.
    UsbInsertion,
}

/// The pose in which the arm starts.
pub(crate) struct Home {
    /// Near enough for Newton's method, and what the elbow looks like.
    pub guess: [f64; JOINTS],
    /// TCP (m, base frame), the tool straight down.
    pub tcp_m: [f64; 3],
}

impl Preset {
    /// Room on each side of the peg in the slot (m); 0 without a peg.
    pub fn clearance_m(self) -> f64 {
        match self {
            Self::Easy => 0.0015,
            Self::Default | Self::UsbInsertion => 0.001,
            Self::Hard => 0.0005,
            Self::PickCube => 0.0,
        }
    }

    /// How far the socket may be turned about the vertical (rad).
    pub fn socket_yaw_max_rad(self) -> f64 {
        match self {
            Self::Easy | Self::PickCube => 0.0,
            Self::Default | Self::Hard | Self::UsbInsertion => 6.0 * PI / 180.0,
        }
    }

    /// Whether the tool is a gripper.
    pub fn grips(self) -> bool {
        matches!(self, Self::PickCube | Self::UsbInsertion)
    }

    /// What a cell file may look through.
    pub(crate) fn cameras(self) -> &'static [&'static str] {
        match self {
            Self::Easy | Self::Default | Self::Hard => &["wrist", "side"],
            Self::PickCube => &["wrist", "front"],
            Self::UsbInsertion => &["wrist", "wrist-2", "side"],
        }
    }

    /// The part of the tool that the wrench sensor carries (kg).
    pub(crate) fn tool_mass_kg(self) -> f64 {
        match self {
            Self::Easy | Self::Default | Self::Hard => 0.05,
            Self::PickCube | Self::UsbInsertion => 0.9,
        }
    }

    pub(crate) fn home(self) -> Home {
        match self {
            Self::Easy | Self::Default | Self::Hard => {
                Home { guess: [0.0, -0.2, 0.0, -2.4, 0.0, 2.2, FRAC_PI_4], tcp_m: [0.5, 0.0, 0.11] }
            }
            Self::PickCube => pick_cube::HOME,
            Self::UsbInsertion => usb::HOME,
        }
    }

    /// Is a peg whose tip has this pose in the socket frame seated? At least 15 mm below the top (the
    /// stick 9 mm), laterally within the clearance and 1.5 mm.
    pub(crate) fn is_seated(self, tip: &Pose) -> bool {
        let slack = self.clearance_m() + SEATED_SLACK_M;
        let at = tip.translation.vector;
        let depth = match self {
            Self::UsbInsertion => usb::SEATED_DEPTH_M,
            Self::Easy | Self::Default | Self::Hard | Self::PickCube => SEATED_DEPTH_M,
        };
        at.z <= -depth && at.x.abs() < slack && at.y.abs() < slack
    }
}

/// The socket's pose, base frame, for `offset` in [-1, 1]³: x, y and yaw of the whole range.
pub(crate) fn socket_pose(preset: Preset, offset: [f64; 3]) -> Pose {
    let shift = Vector3::new(offset[0], offset[1], 0.0) * SOCKET_OFFSET_MAX_M;
    let yaw = UnitQuaternion::from_axis_angle(
        &Vector3::z_axis(),
        offset[2] * preset.socket_yaw_max_rad(),
    );
    Pose::from_parts((Vector3::from(SOCKET_CENTRE_M) + shift).into(), yaw)
}

/// The TCP orientation of a tool that points straight down, x forward.
pub(crate) fn tool_down() -> UnitQuaternion<f64> {
    UnitQuaternion::from_axis_angle(&Vector3::x_axis(), PI)
}

/// A camera that stands at `eye` and looks at `target`, in the frame of its body.
struct View {
    eye: Vector3<f64>,
    target: Vector3<f64>,
    /// What points to the picture's upper edge, roughly.
    up: Vector3<f64>,
    fovy_deg: f64,
}

/// Hand frame. The upper edge of the picture is where the tool points. Wherever the socket stands when
/// an episode begins, its slot is in the picture; the fingers are just outside.
const WRIST: View = View {
    eye: Vector3::new(0.085, 0.0, 0.065),
    target: Vector3::new(0.008, 0.0, 0.162),
    up: Vector3::new(0.0, 0.0, 1.0),
    fovy_deg: 50.0,
};

/// Base frame.
const SIDE: View = View {
    eye: Vector3::new(0.74, -0.16, 0.16),
    target: Vector3::new(0.5, 0.0, 0.03),
    up: Vector3::new(0.0, 0.0, 1.0),
    fovy_deg: 32.0,
};

impl View {
    /// A camera of the body that it is written into.
    fn camera(&self, name: &str) -> String {
        let (at, axes, fovy) = (numbers(self.eye.as_slice()), self.axes(), self.fovy_deg);
        format!("<camera name=\"{name}\" pos=\"{at}\" xyaxes=\"{axes}\" fovy=\"{fovy}\"/>")
    }

    /// MuJoCo's `xyaxes`: right and up of the picture.
    fn axes(&self) -> String {
        let forward = (self.target - self.eye).normalize();
        let right = forward.cross(&self.up).normalize();
        format!("{} {}", numbers(right.as_slice()), numbers(right.cross(&forward).as_slice()))
    }
}

fn numbers(values: &[f64]) -> String {
    values.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
}

/// What differs from scene to scene.
pub(crate) struct Furnishing {
    camera: String,
    tool: String,
    piece: String,
    /// Between the tool's joints.
    coupling: String,
}

/// The scene of `preset`, with room for pictures of up to `frame_size` (width, height).
pub(crate) fn mjcf(preset: Preset, frame_size: (u16, u16)) -> String {
    let furnishing = match preset {
        Preset::Easy | Preset::Default | Preset::Hard => insertion(preset),
        Preset::PickCube => pick_cube::furnishing(),
        Preset::UsbInsertion => usb::furnishing(),
    };
    fill(
        include_str!("../scenes/cell.xml"),
        &[
            ("timestep_s", (TICK_NS as f64 * 1e-9).to_string()),
            ("frame_width", frame_size.0.to_string()),
            ("frame_height", frame_size.1.to_string()),
            ("camera", furnishing.camera),
            ("arm", fill(include_str!("../scenes/arm.xml"), &[("tool", furnishing.tool)])),
            ("piece", furnishing.piece),
            ("coupling", furnishing.coupling),
        ],
    )
}

fn insertion(preset: Preset) -> Furnishing {
    let tool = fill(
        include_str!("../scenes/tool.xml"),
        &[("peg_half", numbers(&PEG_HALF_M)), ("wrist", WRIST.camera("wrist"))],
    );
    let socket = SlottedBlock {
        name: "socket",
        half_m: BLOCK_HALF_M,
        slot_half_m: [0, 1].map(|i| PEG_HALF_M[i] + preset.clearance_m()),
        depth_m: SLOT_DEPTH_M,
        colour: "0.2 0.36 0.85",
    };
    Furnishing { camera: SIDE.camera("side"), tool, piece: socket.mjcf(), coupling: String::new() }
}

/// A block with a slot for something to stand or be inserted in.
struct SlottedBlock {
    name: &'static str,
    half_m: [f64; 3],
    slot_half_m: [f64; 2],
    depth_m: f64,
    colour: &'static str,
}

impl SlottedBlock {
    fn mjcf(&self) -> String {
        let ([block_x, block_y, block_z], slot) = (self.half_m, self.slot_half_m);
        let floor_half = block_z - self.depth_m / 2.0;
        // The long walls run along the whole block, the short ones fill what is left beside the slot.
        let long_wall = [block_x, (block_y - slot[1]) / 2.0, block_z];
        let short_wall = [(block_x - slot[0]) / 2.0, slot[1], block_z];
        fill(
            include_str!("../scenes/socket.xml"),
            &[
                ("name", self.name.to_owned()),
                ("block_height", (2.0 * block_z).to_string()),
                ("block_half_z", block_z.to_string()),
                ("long_wall", numbers(&long_wall)),
                ("long_wall_y", (slot[1] + long_wall[1]).to_string()),
                ("short_wall", numbers(&short_wall)),
                ("short_wall_x", (slot[0] + short_wall[0]).to_string()),
                ("floor", numbers(&[slot[0], slot[1], floor_half])),
                ("floor_z", (self.depth_m + floor_half).to_string()),
                ("mark", numbers(&[block_x - 0.008, block_y - 0.008])),
                ("colour", self.colour.to_owned()),
            ],
        )
    }
}

/// `template` with every `{{key}}` replaced.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(template.to_owned(), |text, (key, value)| {
        text.replace(&format!("{{{{{key}}}}}"), value)
    })
}

#[cfg(test)]
mod tests {
    use nalgebra::Translation3;

    use super::*;

    #[test]
    fn no_place_in_the_templates_stays_empty() {
        for preset in
            [Preset::Easy, Preset::Default, Preset::Hard, Preset::PickCube, Preset::UsbInsertion]
        {
            let text = mjcf(preset, (128, 128));
            assert!(!text.contains("{{") && !text.contains("--0"), "{text}");
            let named = |name: &&str| text.contains(&format!("<camera name=\"{name}\""));
            assert!(preset.cameras().iter().all(named), "{text}");
            assert_eq!(text.matches("<camera").count(), preset.cameras().len());
        }
    }

    fn check_seated(tip_mm: [f64; 3], seated: bool) {
        let tip = Pose::from_parts(Translation3::from(Vector3::from(tip_mm) * 1e-3), tool_down());
        assert_eq!(Preset::Default.is_seated(&tip), seated, "{tip_mm:?} mm");
    }

    #[test]
    fn a_peg_is_seated_fifteen_millimetres_deep_inside_the_slot() {
        check_seated([0.0, 0.0, -15.1], true);
        check_seated([0.0, 0.0, -14.9], false);
        check_seated([2.4, -2.4, -18.0], true);
        check_seated([2.6, 0.0, -18.0], false);
        check_seated([0.0, -2.6, -18.0], false);
    }
}

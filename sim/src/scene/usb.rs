//! A stick like a USB plug, which stands in a holder, and a port to insert it in.

use std::f64::consts::FRAC_PI_4;

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use wire::geometry::Pose;

use super::{Furnishing, Home, Preset, SlottedBlock, View, fill, numbers, pick_cube};

const PLUG_HALF_M: [f64; 3] = [0.006, 0.003, 0.008];
const HANDLE_HALF_M: [f64; 3] = [0.009, 0.007, 0.018];
/// Where the handle is gripped, above the plug's end (m).
pub(crate) const GRIP_HEIGHT_M: f64 = 0.032;
pub(crate) const SEATED_DEPTH_M: f64 = 0.009;
const PORT_DEPTH_M: f64 = 0.012;
const PORT_HALF_M: [f64; 3] = [0.024, 0.02, 0.01];
const HOLDER_DEPTH_M: f64 = 0.008;
const HOLDER_HALF_M: [f64; 3] = [0.022, 0.018, 0.008];
const HOLDER_CLEARANCE_M: f64 = 0.0015;
/// Middle of the tops (m, base frame), and how far either may be away from it in x and y.
const PORT_CENTRE_M: [f64; 3] = [0.5, 0.06, 2.0 * PORT_HALF_M[2]];
const HOLDER_CENTRE_M: [f64; 3] = [0.5, -0.06, 2.0 * HOLDER_HALF_M[2]];
const OFFSET_MAX_M: f64 = 0.015;
/// A stick that leans further is not picked up again (rad).
const TILT_MAX_RAD: f64 = 0.8;
/// Further open than this the gripper has let go of the stick.
pub(crate) const RELEASED: f64 = 0.4;

pub(crate) const HOME: Home =
    Home { guess: [0.0, -0.2, 0.0, -2.4, 0.0, 2.2, FRAC_PI_4], tcp_m: [0.5, 0.0, 0.15] };

/// Port, holder and stick when an episode begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Places {
    pub port: Pose,
    pub holder: Pose,
    pub stick: Pose,
}

/// For offsets in [-1, 1]: x, y and yaw of the port, then x and y of the holder.
pub(crate) fn places(offset: [f64; 5]) -> Places {
    let at = |centre: [f64; 3], x: f64, y: f64, yaw: f64| {
        let shift = Vector3::new(x, y, 0.0) * OFFSET_MAX_M;
        let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw);
        Pose::from_parts((Vector3::from(centre) + shift).into(), turn)
    };
    let yaw = offset[2] * Preset::UsbInsertion.socket_yaw_max_rad();
    let port = at(PORT_CENTRE_M, offset[0], offset[1], yaw);
    let holder = at(HOLDER_CENTRE_M, offset[3], offset[4], 0.0);
    let stick = Translation3::new(0.0, 0.0, -HOLDER_DEPTH_M) * holder;
    Places { port, holder, stick }
}

/// Whether a stick with this pose of its plug's end can still be grasped.
pub(crate) fn can_be_grasped(stick: &Pose) -> bool {
    let axis = stick.rotation * Vector3::z();
    axis.angle(&Vector3::z()) < TILT_MAX_RAD
}

/// Base frame: both blocks, from the front.
const SIDE: View = View {
    eye: Vector3::new(0.82, -0.1, 0.24),
    target: Vector3::new(0.5, 0.0, 0.045),
    up: Vector3::new(0.0, 0.0, 1.0),
    fovy_deg: 34.0,
};

/// Hand frame. The upper edge of the picture is where the tool points: the stick between the jaws, and what
/// is below its plug.
const WRIST: View = View {
    eye: Vector3::new(0.09, 0.0, 0.085),
    target: Vector3::new(0.004, 0.0, 0.168),
    up: Vector3::new(0.0, 0.0, 1.0),
    fovy_deg: 55.0,
};

/// Hand frame. Across the first: between the two, a place is seen in x and in y.
const WRIST_2: View = View {
    eye: Vector3::new(0.02, 0.085, 0.085),
    target: Vector3::new(0.0, 0.004, 0.17),
    up: Vector3::new(0.0, 0.0, 1.0),
    fovy_deg: 55.0,
};

pub(super) fn furnishing() -> Furnishing {
    let slot = |clearance: f64| [0, 1].map(|i| PLUG_HALF_M[i] + clearance);
    let port = SlottedBlock {
        name: "socket",
        half_m: PORT_HALF_M,
        slot_half_m: slot(Preset::UsbInsertion.clearance_m()),
        depth_m: PORT_DEPTH_M,
        colour: "0.2 0.36 0.85",
    };
    let holder = SlottedBlock {
        name: "holder",
        half_m: HOLDER_HALF_M,
        slot_half_m: slot(HOLDER_CLEARANCE_M),
        depth_m: HOLDER_DEPTH_M,
        colour: "0.85 0.62 0.2",
    };
    let stick = fill(
        include_str!("../../scenes/stick.xml"),
        &[
            ("plug_half", numbers(&PLUG_HALF_M)),
            ("plug_z", PLUG_HALF_M[2].to_string()),
            ("handle_half", numbers(&HANDLE_HALF_M)),
            ("handle_z", (2.0 * PLUG_HALF_M[2] + HANDLE_HALF_M[2]).to_string()),
        ],
    );
    let [tool, coupling] =
        pick_cube::gripper(&(WRIST.camera("wrist") + &WRIST_2.camera("wrist-2")));
    let piece = port.mjcf() + &holder.mjcf() + &stick;
    Furnishing { camera: SIDE.camera("side"), tool, piece, coupling }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stick_stands_in_its_holder_and_the_port_is_turned_within_its_range() {
        let Places { port, holder, stick } = places([1.0, -1.0, 1.0, -1.0, 0.5]);
        let below = stick.translation.vector - holder.translation.vector;
        assert_eq!(<[f64; 3]>::from(below), [0.0, 0.0, -HOLDER_DEPTH_M]);
        assert!((port.rotation.angle().to_degrees() - 6.0).abs() < 1e-9);
        let apart = (port.translation.vector - holder.translation.vector).y;
        assert!(apart > PORT_HALF_M[1] + HOLDER_HALF_M[1] + 0.03, "{apart} m");
    }

    #[test]
    fn a_stick_that_lies_on_the_table_is_lost() {
        let turned = |angle| {
            let rotation = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), angle);
            Pose::from_parts(Translation3::identity(), rotation)
        };
        assert!(can_be_grasped(&turned(0.3)));
        assert!(!can_be_grasped(&turned(1.5)));
    }
}

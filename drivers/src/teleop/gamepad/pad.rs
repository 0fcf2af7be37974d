//! From the sticks and buttons of a gamepad to the person's hand. Pure; the axes are those of the
//! operator's page, so that a pad does the same in the browser and at the cell.

use crate::teleop::buttons::{ButtonRole, RoleSet};

/// Buttons by where they are, whatever is printed on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PadButton {
    South,
    East,
    North,
    West,
    LeftShoulder,
    RightShoulder,
    LeftTrigger,
    RightTrigger,
    Select,
    Start,
    LeftStick,
    RightStick,
    Up,
    Down,
    Left,
    Right,
}

impl PadButton {
    /// Each with the word for it in a cell file.
    const WORDS: [(Self, &str); 16] = [
        (Self::South, "south"),
        (Self::East, "east"),
        (Self::North, "north"),
        (Self::West, "west"),
        (Self::LeftShoulder, "left-shoulder"),
        (Self::RightShoulder, "right-shoulder"),
        (Self::LeftTrigger, "left-trigger"),
        (Self::RightTrigger, "right-trigger"),
        (Self::Select, "select"),
        (Self::Start, "start"),
        (Self::LeftStick, "left-stick"),
        (Self::RightStick, "right-stick"),
        (Self::Up, "up"),
        (Self::Down, "down"),
        (Self::Left, "left"),
        (Self::Right, "right"),
    ];

    pub fn all() -> impl Iterator<Item = Self> {
        Self::WORDS.into_iter().map(|(button, _)| button)
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(_, known)| *known == word).map(|(button, _)| button)
    }
}

/// A gamepad at one moment: up and right are positive, in [-1, 1].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PadState {
    /// Right and up.
    pub left_stick: [f64; 2],
    pub right_stick: [f64; 2],
    pub pressed: Vec<PadButton>,
}

/// What sticks and buttons do.
#[derive(Clone, Debug, PartialEq)]
pub struct PadMap {
    /// A stick within this of its middle rests; what is beyond is stretched.
    pub dead_zone: f64,
    /// Turns the person's place about the base's z axis. At 0 the person stands behind the arm.
    pub yaw_rad: f64,
    pub roles: Vec<(PadButton, ButtonRole)>,
    /// While it is held the left stick turns instead of moving.
    pub turn: Option<PadButton>,
}

impl PadMap {
    /// Base frame: left stick forwards and to the left, right stick up and about z.
    pub fn push(&self, pad: &PadState) -> [f64; 6] {
        let stick = |axis: f64| {
            // A pad that says nonsense says nothing.
            let size = if axis.is_finite() { axis.abs().min(1.0) } else { 0.0 };
            if size <= self.dead_zone {
                return 0.0;
            }
            axis.signum() * (size - self.dead_zone) / (1.0 - self.dead_zone)
        };
        let ([right, forwards], [turn, height]) =
            (pad.left_stick.map(stick), pad.right_stick.map(stick));
        let turns = self.turn.is_some_and(|button| pad.pressed.contains(&button));
        let (x, y, rx, ry) = match turns {
            true => (0.0, 0.0, right, forwards),
            false => (forwards, -right, 0.0, 0.0),
        };
        let (sin, cos) = self.yaw_rad.sin_cos();
        let turned = |x: f64, y: f64| (cos * x - sin * y, sin * x + cos * y);
        let ((x, y), (rx, ry)) = (turned(x, y), turned(rx, ry));
        [x, y, height, rx, ry, -turn].map(|x: f64| x.clamp(-1.0, 1.0))
    }

    pub fn roles(&self, pad: &PadState) -> RoleSet {
        let down = self.roles.iter().filter(|(button, _)| pad.pressed.contains(button));
        down.map(|(_, role)| *role).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> PadMap {
        PadMap {
            dead_zone: 0.12,
            yaw_rad: 0.0,
            roles: vec![
                (PadButton::RightShoulder, ButtonRole::Intervene),
                (PadButton::LeftTrigger, ButtonRole::GripperClose),
                (PadButton::North, ButtonRole::MarkSuccess),
            ],
            turn: Some(PadButton::LeftShoulder),
        }
    }

    #[track_caller]
    fn check(
        map: &PadMap,
        left: [f64; 2],
        right: [f64; 2],
        pressed: &[PadButton],
        expected: [f64; 6],
    ) {
        let pad = PadState { left_stick: left, right_stick: right, pressed: pressed.to_vec() };
        let push = map.push(&pad);
        let near = push.iter().zip(&expected).all(|(got, expected)| (got - expected).abs() < 1e-9);
        assert!(near, "{push:?} instead of {expected:?}");
    }

    const REST: [f64; 2] = [0.0; 2];

    #[test]
    fn sticks_move_as_on_the_operators_page() {
        check(&map(), [0.0, 1.0], REST, &[], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        check(&map(), [1.0, 0.0], REST, &[], [0.0, -1.0, 0.0, 0.0, 0.0, 0.0]);
        check(&map(), REST, [0.0, 1.0], &[], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        check(&map(), REST, [1.0, 0.0], &[], [0.0, 0.0, 0.0, 0.0, 0.0, -1.0]);
        check(&map(), [-1.0, -1.0], [-1.0, -1.0], &[], [-1.0, 1.0, -1.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn with_its_button_the_left_stick_turns() {
        let turn = [PadButton::LeftShoulder];
        check(&map(), [0.0, 1.0], REST, &turn, [0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        check(&map(), [1.0, 0.0], [0.0, 1.0], &turn, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        let never = PadMap { turn: None, ..map() };
        check(&never, [0.0, 1.0], REST, &turn, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_stick_near_its_middle_rests_and_a_full_one_is_full() {
        check(&map(), [0.12, -0.12], [0.05, -0.1], &[], [0.0; 6]);
        check(&map(), [0.0, 0.56], REST, &[], [0.5, 0.0, 0.0, 0.0, 0.0, 0.0]);
        check(&map(), [0.0, 1.2], [f64::NAN, f64::INFINITY], &[], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_person_who_faces_the_arm_is_turned_round() {
        let opposite = PadMap { yaw_rad: std::f64::consts::PI, ..map() };
        check(&opposite, [1.0, 1.0], [0.0, 1.0], &[], [-1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
        check(
            &opposite,
            [1.0, 0.0],
            REST,
            &[PadButton::LeftShoulder],
            [0.0, 0.0, 0.0, -1.0, 0.0, 0.0],
        );
    }

    #[test]
    fn buttons_have_the_roles_that_they_are_given() {
        let pressed = vec![PadButton::LeftTrigger, PadButton::South];
        let roles = map().roles(&PadState { pressed, ..PadState::default() });
        assert!(roles.has(ButtonRole::GripperClose));
        assert!(!roles.has(ButtonRole::Intervene) && !roles.has(ButtonRole::MarkSuccess));
    }
}

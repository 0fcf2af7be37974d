//! What the buttons of a device mean, and presses that nobody has asked for yet. Reads no clock.
//!
//! A step comes every tenth of a second and a press may be shorter, so a press waits for the next
//! question. It does not wait long: what was pressed while nobody listened must not end the next
//! episode.

use std::time::Duration;

use wire::{GripperCommand, Mark, Timestamp};

/// So long a press waits for somebody to ask.
const PRESS_LASTS: Duration = Duration::from_millis(250);

/// What a button does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ButtonRole {
    #[default]
    None,
    GripperClose,
    GripperOpen,
    /// Closes, opens, closes ... with each press.
    GripperToggle,
    MarkSuccess,
    MarkFailure,
    /// The person drives only while it is held.
    Intervene,
}

impl ButtonRole {
    /// As a cell file writes it.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "gripper-close" => Self::GripperClose,
            "gripper-open" => Self::GripperOpen,
            "gripper-toggle" => Self::GripperToggle,
            "mark-success" => Self::MarkSuccess,
            "mark-failure" => Self::MarkFailure,
            "intervene" => Self::Intervene,
            _ => return None,
        })
    }

    fn bit(self) -> u8 {
        match self {
            Self::None => 0,
            Self::GripperClose => 1,
            Self::GripperOpen => 2,
            Self::GripperToggle => 4,
            Self::MarkSuccess => 8,
            Self::MarkFailure => 16,
            Self::Intervene => 32,
        }
    }

    fn mark(self) -> Option<Mark> {
        match self {
            Self::MarkSuccess => Some(Mark::Success),
            Self::MarkFailure => Some(Mark::Failure),
            _ => None,
        }
    }
}

/// The roles whose buttons are down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleSet(u8);

impl RoleSet {
    pub fn with(self, role: ButtonRole) -> Self {
        Self(self.0 | role.bit())
    }

    pub fn has(self, role: ButtonRole) -> bool {
        self.0 & role.bit() != 0
    }
}

impl FromIterator<ButtonRole> for RoleSet {
    fn from_iter<I: IntoIterator<Item = ButtonRole>>(roles: I) -> Self {
        roles.into_iter().fold(Self::default(), Self::with)
    }
}

/// The buttons of one device.
#[derive(Clone, Copy, Debug, Default)]
pub struct Buttons {
    held: RoleSet,
    /// What the gripper's buttons said last; a toggle says the other.
    grip: GripperCommand,
    grip_waits: Option<Timestamp>,
    mark_waits: Option<(Mark, Timestamp)>,
}

impl Buttons {
    /// The device says which buttons are down.
    pub fn hear(&mut self, now: Timestamp, held: RoleSet) {
        use ButtonRole::{GripperClose, GripperOpen, GripperToggle, MarkFailure, MarkSuccess};
        for role in [GripperClose, GripperOpen, GripperToggle, MarkFailure, MarkSuccess] {
            if held.has(role) && !self.held.has(role) {
                self.press(now, role);
            }
        }
        self.held = held;
    }

    fn press(&mut self, now: Timestamp, role: ButtonRole) {
        let grip = match role {
            ButtonRole::GripperClose => GripperCommand::Close,
            ButtonRole::GripperOpen => GripperCommand::Open,
            ButtonRole::GripperToggle if self.grip == GripperCommand::Close => GripperCommand::Open,
            ButtonRole::GripperToggle => GripperCommand::Close,
            _ => {
                self.mark_waits = role.mark().map(|mark| (mark, now)).or(self.mark_waits);
                return;
            }
        };
        self.grip = grip;
        self.grip_waits = Some(now);
    }

    pub fn holds(&self, role: ButtonRole) -> bool {
        self.held.has(role)
    }

    /// What the gripper is told: by a button that is down, or was pressed a moment ago.
    pub fn take_grip(&mut self, now: Timestamp) -> GripperCommand {
        use ButtonRole::{GripperClose, GripperOpen, GripperToggle};
        let waits = self.grip_waits.take().is_some_and(|at| now.since(at) <= PRESS_LASTS);
        let held = [GripperClose, GripperOpen, GripperToggle].iter().any(|role| self.holds(*role));
        if waits || held { self.grip } else { GripperCommand::Stay }
    }

    /// What the person says of what is seen now.
    pub fn take_mark(&mut self, now: Timestamp) -> Option<Mark> {
        let waits = self.mark_waits.take().filter(|(_, at)| now.since(*at) <= PRESS_LASTS);
        let held = [ButtonRole::MarkFailure, ButtonRole::MarkSuccess];
        let held = held.into_iter().find(|role| self.holds(*role)).and_then(ButtonRole::mark);
        waits.map(|(mark, _)| mark).or(held)
    }

    /// What was pressed before is over; what is down stays down.
    pub fn forget_presses(&mut self) {
        self.grip_waits = None;
        self.mark_waits = None;
    }

    /// The device is gone: nothing is down. What a toggle says next stays.
    pub fn let_go(&mut self) {
        self.held = RoleSet::default();
        self.forget_presses();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(letter: char) -> ButtonRole {
        match letter {
            'c' => ButtonRole::GripperClose,
            'o' => ButtonRole::GripperOpen,
            't' => ButtonRole::GripperToggle,
            'S' => ButtonRole::MarkSuccess,
            'F' => ButtonRole::MarkFailure,
            _ => ButtonRole::None,
        }
    }

    /// One letter per 50 ms for the button that is down, `?` asks and nothing is down, `!` asks while
    /// the button before is still down. Answers: `c` close, `o` open, `S`, `F`, `-` nothing.
    #[track_caller]
    fn check(presses: &str, answers: &str) {
        let mut buttons = Buttons::default();
        let mut down = '.';
        let mut heard = String::new();
        for (beat, letter) in presses.chars().enumerate() {
            let now = Timestamp(beat as u64 * 50_000_000);
            down = if letter == '!' { down } else { letter };
            buttons.hear(now, [role(down)].into_iter().collect());
            if matches!(letter, '?' | '!') {
                let grip = match buttons.take_grip(now) {
                    GripperCommand::Close => 'c',
                    GripperCommand::Stay => '-',
                    GripperCommand::Open => 'o',
                };
                heard.push(match buttons.take_mark(now) {
                    Some(Mark::Success) => 'S',
                    Some(Mark::Failure) => 'F',
                    _ => grip,
                });
            }
        }
        assert_eq!(heard, answers, "{presses}");
    }

    #[test]
    fn a_press_between_two_questions_is_heard_once() {
        check("?c.?.?", "-c-");
        check("?S.?.?", "-S-");
    }

    #[test]
    fn a_button_that_is_down_is_heard_each_time() {
        check("c!!!?", "ccc-");
        check("F!!?", "FF-");
    }

    #[test]
    fn a_press_that_nobody_asked_for_is_over_after_a_while() {
        check("c.....?", "-");
        check("S.....?", "-");
        check("S....?", "S");
    }

    #[test]
    fn a_toggle_closes_and_opens_in_turn() {
        check("t!!.t!.t!", "ccoc");
        check("t.t?", "o");
    }

    #[test]
    fn a_toggle_goes_on_from_what_the_other_buttons_said() {
        check("c!.t!.o!.t!", "cooc");
    }

    #[test]
    fn the_last_pressed_of_two_counts() {
        let mut buttons = Buttons::default();
        let both = [ButtonRole::GripperClose, ButtonRole::GripperOpen];
        buttons.hear(Timestamp(0), both[..1].iter().copied().collect());
        buttons.hear(Timestamp(1), both.into_iter().collect());
        assert_eq!(buttons.take_grip(Timestamp(2)), GripperCommand::Open);
    }

    #[test]
    fn an_episode_does_not_begin_with_what_was_pressed_before() {
        let mut buttons = Buttons::default();
        buttons.hear(Timestamp(0), [ButtonRole::MarkSuccess].into_iter().collect());
        buttons.hear(Timestamp(1), RoleSet::default());
        buttons.forget_presses();
        assert_eq!(buttons.take_mark(Timestamp(2)), None);
    }
}

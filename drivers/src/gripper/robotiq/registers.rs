//! The gripper's registers: what it is told and what it says, to and from the six bytes of either.

use std::time::Duration;

/// What the gripper is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub activate: bool,
    pub go: bool,
    /// 0 open, 255 closed.
    pub position: u8,
    pub speed: u8,
    pub force: u8,
}

/// What the gripper says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub status: u8,
    pub object: u8,
    pub fault: u8,
    /// The position that it was told last.
    pub echo: u8,
    pub position: u8,
}

/// `status` of a gripper that is activated.
pub(super) const ACTIVE: u8 = 3;

/// `object` while it moves, and when it has stopped on something.
mod object {
    pub const MOVING: u8 = 0;
    pub const WHILE_OPENING: u8 = 1;
    pub const WHILE_CLOSING: u8 = 2;
}

/// From this fault on the gripper does not move: it must be activated again. Lower ones pass.
pub(super) const MAJOR_FAULT: u8 = 0x08;

const ACTIVATE: u8 = 1;
const GO: u8 = 1 << 3;

impl Order {
    /// Everything off: what must come before it is activated.
    pub const RESET: Self = Self { activate: false, go: false, position: 0, speed: 0, force: 0 };
    pub const ACTIVATE: Self = Self { activate: true, ..Self::RESET };

    pub fn registers(&self) -> [u16; 3] {
        let action = if self.activate { ACTIVATE } else { 0 } | if self.go { GO } else { 0 };
        [
            u16::from_be_bytes([action, 0]),
            u16::from_be_bytes([0, self.position]),
            u16::from_be_bytes([self.speed, self.force]),
        ]
    }
}

impl Said {
    pub fn of_registers([first, second, third]: [u16; 3]) -> Self {
        let [status, _] = first.to_be_bytes();
        let [fault, echo] = second.to_be_bytes();
        let [position, _current] = third.to_be_bytes();
        Self { status: status >> 4 & 3, object: status >> 6, fault: fault & 0x0F, echo, position }
    }

    pub fn is_active(&self) -> bool {
        self.status == ACTIVE
    }

    /// Moves towards `told`, or has not heard of it yet.
    pub fn moves(&self, told: Option<u8>) -> bool {
        self.object == object::MOVING || told.is_some_and(|told| told != self.echo)
    }

    /// Stopped on something between the jaws or around them.
    pub fn holds(&self) -> bool {
        matches!(self.object, object::WHILE_OPENING | object::WHILE_CLOSING)
    }
}

/// What a fault means, for people.
pub(super) fn fault_name(fault: u8) -> &'static str {
    match fault {
        0x05 => "it must be activated first",
        0x07 => "it must be activated and has not been",
        0x08 => "it is too hot: let it cool down",
        0x09 => "it has not answered for a second",
        0x0A => "its supply is below 22 V",
        0x0B => "an automatic release is under way",
        0x0C => "an internal fault: send its number to Robotiq",
        0x0D => "its activation met something: clear the way of its jaws",
        0x0E => "it draws too much current",
        0x0F => "an automatic release is over",
        _ => "an unknown fault",
    }
}

/// Both ends of one kind of gripper, and how they map to 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RobotiqModel {
    /// Positions (0 to 255) that it says when it is wide open and when it is closed on nothing. They
    /// depend on the fingertips.
    pub open_at: u8,
    pub closed_at: u8,
    /// Least and most force (N) and speed (m/s) that its registers can say.
    pub force_n: [f64; 2],
    pub speed_mps: [f64; 2],
}

impl RobotiqModel {
    pub const TWO_F_85: Self =
        Self { open_at: 3, closed_at: 230, force_n: [20.0, 235.0], speed_mps: [0.02, 0.15] };
    pub const TWO_F_140: Self =
        Self { open_at: 3, closed_at: 230, force_n: [10.0, 125.0], speed_mps: [0.03, 0.25] };

    /// How far open: 0 closed, 1 wide open.
    pub(super) fn opening(&self, position: u8) -> f64 {
        let (open, closed) = (f64::from(self.open_at), f64::from(self.closed_at));
        ((closed - f64::from(position)) / (closed - open)).clamp(0.0, 1.0)
    }

    /// The register's count for a force or a speed; never more than is allowed, but for the least
    /// that the gripper can do.
    fn count(range: [f64; 2], value: f64) -> u8 {
        let [least, most] = range;
        ((value - least) / (most - least) * 255.0).floor().clamp(0.0, 255.0) as u8
    }

    pub(super) fn order(&self, opens: bool, force_n: f64, speed_mps: f64) -> Order {
        Order {
            activate: true,
            go: true,
            position: if opens { 0 } else { 255 },
            speed: Self::count(self.speed_mps, speed_mps),
            force: Self::count(self.force_n, force_n),
        }
    }
}

/// How a gripper's answers are awaited.
pub(super) const REPLY_WAIT: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Order = Order { activate: true, go: true, position: 255, speed: 255, force: 255 };

    #[test]
    fn orders_are_the_bytes_of_the_manual() {
        assert_eq!(ALL.registers(), [0x0900, 0x00FF, 0xFFFF], "close");
        assert_eq!(Order { position: 0, ..ALL }.registers(), [0x0900, 0x0000, 0xFFFF], "open");
        assert_eq!(Order::RESET.registers(), [0, 0, 0]);
        assert_eq!(Order::ACTIVATE.registers(), [0x0100, 0, 0]);
    }

    #[test]
    fn the_status_bytes_of_the_manual_are_understood() {
        let said = |status: u16| Said::of_registers([status << 8, 0x00FF, 0xBD00]);
        let there = said(0xF9);
        assert_eq!(
            (there.is_active(), there.moves(Some(255)), there.holds()),
            (true, false, false)
        );
        assert_eq!((there.echo, there.position), (255, 0xBD));
        assert!(said(0xB9).holds(), "stopped on contact while closing");
        assert!(said(0x79).holds(), "and while opening");
        assert!(said(0x39).moves(Some(255)));
        assert!(there.moves(Some(0)), "it has not heard of that yet");
        assert!(!said(0x11).is_active(), "activation under way");
        assert_eq!(Said::of_registers([0xF900, 0x0A00, 0]).fault, 0x0A);
    }

    #[test]
    fn an_opening_is_one_at_the_open_end_and_zero_at_the_closed() {
        let model = RobotiqModel { open_at: 10, closed_at: 210, ..RobotiqModel::TWO_F_85 };
        assert_eq!([0, 10, 110, 210, 255].map(|at| model.opening(at)), [1.0, 1.0, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn force_and_speed_are_counts_that_never_exceed_what_is_allowed() {
        let order = RobotiqModel::TWO_F_85.order(false, 40.0, 0.1);
        assert_eq!((order.position, order.force, order.speed), (255, 23, 156));
        let force = 20.0 + f64::from(order.force) / 255.0 * 215.0;
        assert!(force <= 40.0, "{force} N");
        let gentle = RobotiqModel::TWO_F_85.order(true, 5.0, 1.0);
        assert_eq!((gentle.position, gentle.force, gentle.speed), (0, 0, 255));
    }
}

//! The program that runs on the controller, and the messages that it takes.
//!
//! RTDE only moves data; motion needs a program there. Ours dials back to this host and takes poses.
//! Every message carries the time within which the next one must come: when that runs out, the
//! program brakes and ends by itself. So the arm stops when this process is paused, killed or cut off.
//! The controller solves the inverse kinematics, with the calibration that only it knows.

use std::time::Duration;

use wire::geometry::Pose;

use super::{
    link::Version,
    snapshot::{PROGRAM_REGISTER, rotation_vector},
};

const SOURCE: &str = include_str!("program.urscript");

/// Longest time between two messages while the arm moves, and while it stands. A lease that ends is
/// not left to it: the driver then says `Idle`.
pub(super) const MOVING_LIMIT: Duration = Duration::from_millis(100);
pub(super) const STANDING_LIMIT: Duration = Duration::from_secs(1);

/// How hard it brakes at the joints when it stops following.
const STOP_RADPS2: f64 = 4.0;
/// A pose whose joints lie further than this from the last is another posture of the arm.
const JOINT_STEP_RAD: f64 = 0.5;

/// What the program says of itself in its register.
pub(super) mod said {
    pub const RUNS: i32 = 1;
    pub const TOLD_TO_END: i32 = 2;
    pub const NO_MESSAGE: i32 = 3;
    pub const OUT_OF_REACH: i32 = 4;
    pub const JOINT_JUMP: i32 = 5;
    pub const NO_CONNECTION: i32 = 6;
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Program {
    /// Where the program finds this host.
    pub host: String,
    pub port: u16,
    pub lookahead_s: f64,
    pub gain: f64,
    pub zero_force: bool,
    /// Which words the controller knows.
    pub version: Version,
}

/// From this software on a program can ask whether a pose has a solution. Before, it ends by itself
/// where there is none.
const ASKS_FOR_SOLUTION: Version = Version { major: 5, minor: 10 };
/// From this on there are arms with a force sensor.
const HAS_SENSOR: Version = Version { major: 5, minor: 0 };

impl Program {
    pub fn text(&self) -> String {
        let reachable = match self.version >= ASKS_FOR_SOLUTION {
            true => "get_inverse_kin_has_solution(pose, near)",
            false => "True",
        };
        let zeroes = self.zero_force && self.version >= HAS_SENSOR;
        SOURCE
            .replace("{reachable}", reachable)
            .replace("{host}", &self.host)
            .replace("{port}", &self.port.to_string())
            .replace("{lookahead_s}", &self.lookahead_s.to_string())
            .replace("{gain}", &self.gain.to_string())
            .replace("{zero_force}", if zeroes { "zero_ftsensor()" } else { "sync()" })
            .replace("{register}", &PROGRAM_REGISTER.to_string())
            .replace("{stop_radps2}", &STOP_RADPS2.to_string())
            .replace("{joint_step_rad}", &JOINT_STEP_RAD.to_string())
    }
}

/// What the program is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Message {
    /// Stand still and wait.
    Idle,
    /// Go to a pose.
    Pose(Pose),
    /// Brake and end.
    End,
}

pub(super) const MESSAGE_BYTES: usize = 32;

const MODE_IDLE: i32 = 0;
const MODE_POSE: i32 = 5;
const MODE_END: i32 = -2;

impl Message {
    pub fn encode(&self) -> [u8; MESSAGE_BYTES] {
        let (limit, six, mode) = match self {
            Self::Idle => (STANDING_LIMIT, [0.0; 6], MODE_IDLE),
            Self::Pose(pose) => (MOVING_LIMIT, rotation_vector(pose), MODE_POSE),
            Self::End => (STANDING_LIMIT, [0.0; 6], MODE_END),
        };
        let mut words = [0; 8];
        words[0] = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
        for (word, x) in words[1..7].iter_mut().zip(six) {
            *word = (x * 1e6).round() as i32;
        }
        words[7] = mode;
        let mut bytes = [0; MESSAGE_BYTES];
        for (chunk, word) in bytes.chunks_exact_mut(4).zip(words) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }
}

/// Why the program ended, for people; the remedy where there is one.
pub(super) fn ended_because(code: i32) -> &'static str {
    match code {
        said::TOLD_TO_END => "its program was told to end",
        said::NO_MESSAGE => {
            "its program got no message in time and stopped the arm: this host or the network was \
             held up"
        }
        said::OUT_OF_REACH => {
            "a target has no joint solution: make the workspace of the cell smaller"
        }
        said::JOINT_JUMP => {
            "a target needs another posture of the arm (near a singularity): jog the arm away from \
             it, or make the workspace of the cell smaller"
        }
        said::NO_CONNECTION => {
            "its program could not dial back to this host: set ur.reverse_host to this host's \
             address in the robot's network, and open ur.reverse_port in the firewall"
        }
        _ => "its program was ended on the controller (pendant, another script, or a fault)",
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{Isometry3, Vector3};

    use super::*;

    fn program() -> Program {
        Program {
            host: "10.0.0.2".into(),
            port: 50_001,
            lookahead_s: 0.1,
            gain: 300.0,
            zero_force: true,
            version: Version { major: 5, minor: 14 },
        }
    }

    #[test]
    fn every_blank_of_the_program_is_filled_in() {
        let text = program().text();
        assert!(!text.contains(['{', '}']), "{text}");
        assert!(text.contains("socket_open(\"10.0.0.2\", 50001, \"reins_socket\")"));
        assert!(text.contains("lookahead_time=0.1, gain=300)"));
        assert!(text.contains("zero_ftsensor()"));
        assert!(text.contains("if get_inverse_kin_has_solution(pose, near):"));
        assert!(!Program { zero_force: false, ..program() }.text().contains("zero_ftsensor"));
    }

    #[test]
    fn an_older_controller_is_told_only_words_that_it_knows() {
        let text = |major, minor| Program { version: Version { major, minor }, ..program() }.text();
        for older in [text(3, 15), text(5, 9)] {
            assert!(!older.contains("has_solution") && older.contains("if True:"));
        }
        assert!(!text(3, 15).contains("zero_ftsensor") && text(5, 9).contains("zero_ftsensor"));
    }

    #[test]
    fn every_block_of_the_program_is_closed() {
        let text = program().text();
        let opened = text.lines().map(str::trim).filter(|line| {
            let opens = ["def ", "thread ", "while ", "if "];
            opens.iter().any(|word| line.starts_with(word)) && line.ends_with(':')
        });
        let closed = text.lines().filter(|line| line.trim() == "end");
        assert_eq!(opened.count(), closed.count());
        assert!(text.lines().all(|line| line.is_ascii()));
    }

    #[track_caller]
    fn words(message: &Message) -> Vec<i32> {
        let bytes = message.encode();
        bytes.chunks_exact(4).map(|w| i32::from_be_bytes(w.try_into().unwrap())).collect()
    }

    #[test]
    fn a_message_holds_its_time_limit_its_pose_in_millionths_and_its_mode() {
        let pose =
            Isometry3::new(Vector3::new(0.4, -0.25, 0.123_456_7), Vector3::new(0.0, 3.0, 0.0));
        let sent = words(&Message::Pose(pose));
        assert_eq!(sent, [100, 400_000, -250_000, 123_457, 0, 3_000_000, 0, 5]);
        assert_eq!(words(&Message::Idle), [1000, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(words(&Message::End)[7], -2);
    }
}

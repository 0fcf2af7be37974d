//! The cap of a SpaceMouse: events and times in, the hand out. Holds no device and reads no clock.
//!
//! A cap that is pushed is reported all the time, one at rest says so and falls silent. So silence at
//! rest means rest, for ever; silence in a push means that the cable or the radio is gone.

use std::time::Duration;

use wire::Timestamp;

use super::{
    axes::{AxisMap, FULL_SCALE},
    report::{Counts, Event},
};

/// So long a hand may push bit for bit the same, unless the cap is at its end: something lies on it.
const SAME_MAX: Duration = Duration::from_secs(2);

/// When the cap counts as touched.
#[derive(Clone, Debug, PartialEq)]
pub struct Feel {
    /// Length of a push, of 1, up to which it is none; of the linear and of the angular part, each by
    /// itself. What is beyond is stretched, so that a full push stays one.
    pub dead_zone: f64,
    /// Length at which a push that was one ends; not above the dead zone.
    pub release_zone: f64,
    /// Poses in a row beyond the dead zone before the hand counts as there; at least 1.
    pub engage_reports: u32,
    /// So long the hand stays after its push has ended.
    pub hold: Duration,
    /// A push that is not reported for longer is lost.
    pub silence_max: Duration,
}

/// What the hand does.
#[derive(Clone, Debug, PartialEq)]
pub struct Touch {
    pub push: [f64; 6],
    pub engaged: bool,
    /// When the device was last known to live.
    pub alive_at: Timestamp,
}

#[derive(Clone, Debug)]
pub struct Cap {
    feel: Feel,
    axes: AxisMap,
    counts: Counts,
    heard_at: Timestamp,
    /// Since when the counts are what they are.
    same_since: Timestamp,
    /// The first half of a pose is there and the second is not.
    is_half: bool,
    outside_in_a_row: u32,
    engaged: bool,
    /// Since when the push of an engaged hand is over.
    inside_since: Option<Timestamp>,
    buttons: u64,
}

impl Cap {
    pub fn new(feel: Feel, axes: AxisMap, now: Timestamp) -> Self {
        Self {
            feel,
            axes,
            counts: [0; 6],
            heard_at: now,
            same_since: now,
            is_half: false,
            outside_in_a_row: 0,
            engaged: false,
            inside_since: None,
            buttons: 0,
        }
    }

    /// Another device, or the same after it was away: nothing is known of it and nothing is pushed.
    pub fn reset(&mut self, now: Timestamp) {
        *self = Self::new(self.feel.clone(), self.axes.clone(), now);
    }

    /// Bit 0 is the first.
    pub fn buttons(&self) -> u64 {
        self.buttons
    }

    pub fn hear(&mut self, now: Timestamp, event: Event) {
        let [x, y, z, rx, ry, rz] = self.counts;
        match event {
            Event::Linear([x, y, z]) => {
                // Where the second half does not come, the first is all there is.
                let is_whole = self.is_half;
                self.moved(now, [x, y, z, rx, ry, rz], is_whole);
                self.is_half = true;
            }
            Event::Angular([rx, ry, rz]) => {
                self.moved(now, [x, y, z, rx, ry, rz], true);
                self.is_half = false;
            }
            Event::Pose(counts) => self.moved(now, counts, true),
            Event::Buttons(bits) => self.buttons = bits,
            Event::Button { number, pressed } => {
                let bit = 1u64.checked_shl(number.into()).unwrap_or(0);
                self.buttons = if pressed { self.buttons | bit } else { self.buttons & !bit };
            }
            Event::Other => {}
        }
    }

    fn moved(&mut self, now: Timestamp, counts: Counts, is_whole: bool) {
        if counts != self.counts {
            self.same_since = now;
        }
        self.counts = counts;
        self.heard_at = now;
        if !is_whole {
            return;
        }
        let length = length(&self.axes.push(&counts));
        if self.engaged {
            self.inside_since =
                (length <= self.feel.release_zone).then(|| self.inside_since.unwrap_or(now));
        } else if length > self.feel.dead_zone {
            self.outside_in_a_row += 1;
            self.engaged = self.outside_in_a_row >= self.feel.engage_reports;
        } else {
            self.outside_in_a_row = 0;
        }
    }

    /// What the hand does now, when everything that came was heard; or why the device is no hand.
    pub fn touch(&mut self, now: Timestamp) -> Result<Touch, String> {
        let push = self.axes.push(&self.counts);
        // Within the dead zone a cap may stand a little beside its middle, in silence.
        let pushed = length(&push) > self.feel.release_zone;
        if pushed && now.since(self.heard_at) > self.feel.silence_max {
            let silent_ms = now.since(self.heard_at).as_millis();
            return Err(format!("it fell silent in the middle of a push, {silent_ms} ms ago"));
        }
        let at_its_end = self.counts.iter().any(|count| f64::from(count.abs()) >= FULL_SCALE);
        if pushed && !at_its_end && now.since(self.same_since) > SAME_MAX {
            return Err("its cap does not move at all: does something lie on it?".into());
        }
        if self.inside_since.is_some_and(|since| now.since(since) >= self.feel.hold) {
            self.engaged = false;
            self.outside_in_a_row = 0;
            self.inside_since = None;
        }
        let [x, y, z, rx, ry, rz] = push;
        let ([x, y, z], [rx, ry, rz]) = match self.engaged {
            true => (self.beyond([x, y, z]), self.beyond([rx, ry, rz])),
            false => ([0.0; 3], [0.0; 3]),
        };
        Ok(Touch {
            push: [x, y, z, rx, ry, rz],
            engaged: self.engaged,
            alive_at: if pushed { self.heard_at } else { now },
        })
    }

    /// What of a push is beyond the dead zone.
    fn beyond(&self, part: [f64; 3]) -> [f64; 3] {
        let (length, zone) = (norm(&part), self.feel.dead_zone);
        if length <= zone {
            return [0.0; 3];
        }
        let stretch = (length - zone) / (1.0 - zone) / length;
        part.map(|x| (x * stretch).clamp(-1.0, 1.0))
    }
}

fn norm(part: &[f64]) -> f64 {
    part.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Of the longer one of its two parts.
fn length(push: &[f64; 6]) -> f64 {
    norm(&push[..3]).max(norm(&push[3..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds between two poses.
    const BEAT: u64 = 16;

    fn at(beat: usize) -> Timestamp {
        Timestamp((beat as u64 + 1) * BEAT * 1_000_000)
    }

    fn feel() -> Feel {
        Feel {
            dead_zone: 0.1,
            release_zone: 0.05,
            engage_reports: 2,
            hold: Duration::from_millis(2 * BEAT),
            silence_max: Duration::from_millis(6 * BEAT),
        }
    }

    /// Nothing but the counts decides: one count is a hand.
    fn hil_serl() -> Feel {
        Feel {
            dead_zone: 0.0,
            release_zone: 0.0,
            engage_reports: 1,
            hold: Duration::ZERO,
            ..feel()
        }
    }

    fn cap(feel: Feel) -> Cap {
        let axes = AxisMap::from_words(&["+x", "+y", "+z", "+rx", "+ry", "+rz"], 0.0).unwrap();
        Cap::new(feel, axes, Timestamp(0))
    }

    /// A letter per beat for the counts along x: `0` none, `1` one, `d` within the dead zone, `m`
    /// between the zones, `P` a push that trembles, `s` always the same push, `F` full; `_` is silence.
    fn counts(letter: char, beat: usize) -> Option<i32> {
        match letter {
            '0' => Some(0),
            '1' => Some(1),
            'd' => Some(10),
            'm' => Some(30),
            'P' => Some(200 + (beat % 3) as i32),
            's' => Some(200),
            'F' => Some(350),
            _ => None,
        }
    }

    /// After each beat: `-` the hand rests, `P` it pushes, `.` it is there and pushes nothing, `x` the
    /// device is lost.
    #[track_caller]
    fn check(feel: Feel, beats: &str, expected: &str) {
        let mut cap = cap(feel);
        let heard: String = beats
            .chars()
            .enumerate()
            .map(|(beat, letter)| {
                let now = at(beat);
                if let Some(x) = counts(letter, beat) {
                    cap.hear(now, Event::Pose([x, 0, 0, 0, 0, 0]));
                }
                match cap.touch(now) {
                    Err(_) => 'x',
                    Ok(Touch { engaged: false, push, .. }) => {
                        assert_eq!(push, [0.0; 6]);
                        '-'
                    }
                    Ok(Touch { push, .. }) if push[0] > 0.0 => 'P',
                    Ok(_) => '.',
                }
            })
            .collect();
        assert_eq!(heard, expected, "{beats}");
    }

    #[test]
    fn one_stray_report_is_no_hand_and_two_are() {
        check(feel(), "00P000", "------");
        check(feel(), "00PP", "---P");
    }

    #[test]
    fn within_the_dead_zone_there_is_no_hand() {
        check(feel(), "0dddmm10", "--------");
    }

    #[test]
    fn a_push_that_grows_weak_stays_one_down_to_the_release_zone() {
        check(feel(), "PPmmmmm", "-P.....");
        check(feel(), "PPmmddd", "-P....-");
    }

    #[test]
    fn a_hand_that_changes_its_direction_does_not_let_go() {
        check(feel(), "PP0PP0d0", "-P.PP..-");
    }

    #[test]
    fn silence_at_rest_is_rest() {
        check(feel(), "PP000_______________", "-P..----------------");
        check(feel(), "d___________________", "--------------------");
    }

    #[test]
    fn silence_in_a_push_is_a_lost_device() {
        check(feel(), "PPP_________", "-PPPPPPPPxxx");
        check(feel(), "PP_________P", "-PPPPPPPxxxP");
    }

    #[test]
    fn a_single_report_that_pushes_and_then_silence_is_a_lost_device_too() {
        check(feel(), "0P_________", "--------xxx");
    }

    #[test]
    fn what_lies_on_the_cap_is_no_hand_and_a_cap_at_its_end_may_be() {
        let beats = 3_000 / BEAT as usize;
        let mut stuck = cap(feel());
        let mut full = cap(feel());
        for beat in 0..beats {
            let is_late = at(beat).since(at(0)) > SAME_MAX;
            stuck.hear(at(beat), Event::Pose([200, 0, 0, 0, 0, 0]));
            assert_eq!(stuck.touch(at(beat)).is_err(), is_late, "beat {beat}");
            full.hear(at(beat), Event::Pose([200, 350, 0, 0, 0, 0]));
            assert!(full.touch(at(beat)).is_ok(), "beat {beat}");
        }
        stuck.hear(at(beats), Event::Pose([201, 0, 0, 0, 0, 0]));
        assert!(stuck.touch(at(beats)).is_ok());
    }

    #[test]
    fn as_hil_serl_has_it_one_count_is_a_hand() {
        check(hil_serl(), "01010", "-P-P-");
    }

    #[test]
    fn the_push_begins_at_nothing_and_a_full_one_stays_full() {
        let mut cap = cap(feel());
        for (count, expected) in [(36, 0.003_174_603), (175, 0.444_444_444), (350, 1.0)] {
            for beat in 0..2 {
                cap.hear(at(beat), Event::Pose([0, -count, 0, count, 0, 0]));
            }
            let push = cap.touch(at(1)).unwrap().push;
            assert!((push[1] + expected).abs() < 1e-8, "{count}: {push:?}");
            assert!((push[3] - expected).abs() < 1e-8, "{count}: {push:?}");
        }
    }

    #[test]
    fn the_dead_zone_is_round_and_each_part_has_its_own() {
        let mut cap = cap(feel());
        // 0.08 in each of two axes are 0.113 together; the turn is within its zone.
        for beat in 0..2 {
            cap.hear(at(beat), Event::Pose([28, 28, 0, 0, 0, 30]));
        }
        let touch = cap.touch(at(1)).unwrap();
        assert!(touch.engaged && touch.push[0] > 0.0 && touch.push[5] == 0.0, "{touch:?}");
    }

    #[test]
    fn a_pose_in_halves_counts_once() {
        let mut cap = cap(feel());
        cap.hear(at(0), Event::Linear([200, 0, 0]));
        cap.hear(at(0), Event::Angular([0, 0, 0]));
        assert!(!cap.touch(at(0)).unwrap().engaged);
        cap.hear(at(1), Event::Linear([201, 0, 0]));
        assert!(!cap.touch(at(1)).unwrap().engaged);
        cap.hear(at(1), Event::Angular([0, 0, 100]));
        let touch = cap.touch(at(1)).unwrap();
        assert!(touch.engaged && touch.push[0] > 0.0 && touch.push[5] > 0.0, "{touch:?}");
    }

    #[test]
    fn first_halves_alone_are_poses_as_well() {
        let mut cap = cap(feel());
        for beat in 0..3 {
            cap.hear(at(beat), Event::Linear([200 + beat as i32, 0, 0]));
        }
        assert!(cap.touch(at(2)).unwrap().engaged);
    }

    #[test]
    fn a_push_is_as_old_as_its_report_and_rest_is_new() {
        let mut cap = cap(feel());
        for beat in 0..2 {
            cap.hear(at(beat), Event::Pose([200 + beat as i32, 0, 0, 0, 0, 0]));
        }
        assert_eq!(cap.touch(at(3)).unwrap().alive_at, at(1));
        cap.hear(at(4), Event::Pose([0; 6]));
        assert_eq!(cap.touch(at(9)).unwrap().alive_at, at(9));
    }

    #[test]
    fn buttons_come_as_bits_or_one_by_one() {
        let mut cap = cap(feel());
        cap.hear(at(0), Event::Buttons(0b10));
        cap.hear(at(0), Event::Button { number: 0, pressed: true });
        assert_eq!(cap.buttons(), 0b11);
        cap.hear(at(0), Event::Button { number: 1, pressed: false });
        cap.hear(at(0), Event::Button { number: 200, pressed: true });
        assert_eq!(cap.buttons(), 0b01);
    }
}

//! Takes the observation of one moment: arm, cameras, features. Waits for nothing.

use std::time::Duration;

use drivers::{Camera, CameraError, Stamped};
use tasks::{Measured, Observer, TaskConfig};
use wire::{Clock, Features, Frame, Observation, ObservationSpec, WeightsHash, geometry::Pose};

use crate::{arms::Arms, fault::Fault, policy::Encoder};

/// One moment of the cell.
#[derive(Clone, Debug)]
pub struct Seen {
    pub observation: Observation,
    /// One for each arm of the cell.
    pub tcp_poses: Vec<Pose>,
    /// Reading the arm and the cameras.
    pub observe_time: Duration,
    /// The frozen backbone.
    pub encode_time: Duration,
    /// The reward classifier; filled in by who asks it.
    pub judge_time: Duration,
}

impl Seen {
    /// What belongs to one arm alone belongs to the first.
    pub fn first_tcp_pose(&self) -> &Pose {
        self.tcp_poses.first().expect("a cell has an arm")
    }
}

pub struct Senses {
    cameras: Vec<Eye>,
    encoder: Option<Box<dyn Encoder>>,
    /// One for each arm.
    observers: Vec<Observer>,
    needs_gripper: bool,
    spec: ObservationSpec,
    skew_max: Duration,
    stale_frames_max: u32,
    stale_frames: u64,
}

/// A picture that stays the same while the TCP moves by so much (m) is not new, whatever the camera
/// says. An arm that stands still may see the same for as long as it likes.
const FROZEN_MOTION_M: f64 = 0.01;

/// A camera and the picture it gave last.
struct Eye {
    camera: Box<dyn Camera>,
    age_max: Duration,
    /// Of this episode: may stand in.
    last: Option<Frame>,
    /// The newest picture, and where the TCPs were when it was first seen again. Not where it was when
    /// the picture was new: an arm that moved while that was taken, and stands still since, sees the
    /// same for ever and is not to blame.
    newest: Option<(Frame, Option<Vec<Pose>>)>,
    stale_in_a_row: u32,
    trouble: Option<String>,
}

impl Senses {
    /// What is wrong with the devices is said here, before anything moves.
    pub fn new(
        task: &TaskConfig,
        cameras: Vec<Box<dyn Camera>>,
        age_max: &[Duration],
        skew_max: Duration,
        stale_frames_max: u32,
        encoder: Option<Box<dyn Encoder>>,
    ) -> Result<Self, String> {
        let spec = task.observation_spec();
        let (wanted, there) = (spec.cameras.len(), cameras.len());
        if wanted != there || age_max.len() != there {
            let ages = age_max.len();
            return Err(format!(
                "the task names {wanted} cameras, the cell has {there} with {ages} ages"
            ));
        }
        for (wanted, camera) in spec.cameras.iter().zip(&cameras) {
            let there = camera.info();
            let same = (&wanted.name, wanted.width, wanted.height)
                == (&there.name, there.width, there.height);
            if !same {
                return Err(format!(
                    "the task wants camera {} with {}x{} pixels, the cell has {} with {}x{}",
                    wanted.name, wanted.width, wanted.height, there.name, there.width, there.height
                ));
            }
        }
        if there > 0 && encoder.is_none() {
            return Err("a task with cameras needs a backbone".into());
        }
        let eye = |(camera, age_max): (_, &Duration)| Eye {
            camera,
            age_max: *age_max,
            last: None,
            newest: None,
            stale_in_a_row: 0,
            trouble: None,
        };
        Ok(Self {
            cameras: cameras.into_iter().zip(age_max).map(eye).collect(),
            encoder,
            observers: task.arm_tasks().iter().map(Observer::new).collect(),
            needs_gripper: task.needs_gripper(),
            spec,
            skew_max,
            stale_frames_max,
            stale_frames: 0,
        })
    }

    pub fn spec(&self) -> &ObservationSpec {
        &self.spec
    }

    /// The backbone whose features are computed.
    pub fn backbone(&self) -> Option<WeightsHash> {
        self.encoder.as_ref().map(|encoder| encoder.hash())
    }

    /// Pictures that were used twice since the run began.
    pub fn stale_frames(&self) -> u64 {
        self.stale_frames
    }

    /// An episode begins at these measured poses; no picture of the one before stands in.
    pub fn reset(&mut self, tcp_poses: &[Pose]) {
        for (observer, pose) in self.observers.iter_mut().zip(tcp_poses) {
            observer.reset(*pose);
        }
        for eye in &mut self.cameras {
            eye.last = None;
            eye.stale_in_a_row = 0;
        }
    }

    /// What is there now, by the cell's `clock`; durations are the `host`'s.
    pub fn observe(
        &mut self,
        arms: &Arms,
        clock: &dyn Clock,
        host: &dyn Clock,
    ) -> Result<Seen, Fault> {
        let began = host.now();
        let states: Vec<_> =
            arms.sides().iter().map(|side| side.state()).collect::<Result<_, _>>()?;
        let captured_at = clock.now();
        let mut proprio = Vec::with_capacity(self.spec.proprio_dim);
        for ((side, state), observer) in arms.sides().iter().zip(&states).zip(&self.observers) {
            if self.needs_gripper && state.gripper.is_none() {
                return Err(side.silent_gripper());
            }
            let measured = Measured {
                tcp_pose: state.tcp_pose,
                twist: state.twist,
                wrench: state.wrench,
                gripper: state.gripper,
            };
            proprio.extend(observer.proprio(&measured, side.gate.target(captured_at).as_ref()));
        }
        let tcp_poses: Vec<Pose> = states.iter().map(|state| state.tcp_pose).collect();
        let frames = self.frames(&tcp_poses)?;
        let observed = host.now();
        let features = self.encode(&frames)?;
        let encode_time = host.now().since(observed);
        let observation = Observation { captured_at, proprio, frames, features };
        if let Some(reason) = self.spec.mismatch(&observation) {
            return Err(Fault::ObservationUnfit(reason));
        }
        let observe_time = observed.since(began);
        let judge_time = Duration::ZERO;
        Ok(Seen { observation, tcp_poses, observe_time, encode_time, judge_time })
    }

    fn frames(&mut self, tcp_poses: &[Pose]) -> Result<Vec<Frame>, Fault> {
        let stale_max = self.stale_frames_max;
        let taken: Vec<_> = self.cameras.iter_mut().map(Eye::take).collect();
        let taken = in_step(taken, self.skew_max);
        let mut frames = Vec::with_capacity(self.cameras.len());
        for (eye, taken) in self.cameras.iter_mut().zip(taken) {
            let (frame, stale) = eye.judge(taken, tcp_poses, stale_max)?;
            self.stale_frames += u64::from(stale);
            frames.push(frame);
        }
        Ok(frames)
    }

    /// What is wrong with the cameras since their last look.
    pub fn troubles(&self) -> impl Iterator<Item = String> {
        self.cameras.iter().filter_map(|eye| eye.trouble.clone())
    }

    /// Looks whether every camera gives a new picture, between episodes.
    pub fn try_cameras(&mut self, tcp_poses: &[Pose]) -> Result<(), Fault> {
        for eye in &mut self.cameras {
            eye.look_at_rest(tcp_poses)?;
        }
        Ok(())
    }

    fn encode(&mut self, frames: &[Frame]) -> Result<Vec<Features>, Fault> {
        match &mut self.encoder {
            Some(encoder) if !frames.is_empty() => {
                let frames: Vec<&Frame> = frames.iter().collect();
                encoder.encode(&frames).map_err(|e| Fault::PolicyFailed(e.to_string()))
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// Why a camera has no picture for a step.
enum Miss {
    /// It may have one for the next.
    Late(String),
    Lost(String),
}

type Taken = Result<Stamped<Frame>, Miss>;

/// Pictures of one step, without those that are older by more than `skew_max` than the newest.
fn in_step(taken: Vec<Taken>, skew_max: Duration) -> Vec<Taken> {
    let newest = taken.iter().flatten().map(|picture| picture.at).max();
    let each = |taken: Taken| {
        let picture = taken?;
        match newest.map(|at| at.since(picture.at)) {
            Some(skew) if skew > skew_max => {
                Err(Miss::Late(format!("a camera's picture is {skew:?} older than another's")))
            }
            _ => Ok(picture),
        }
    };
    taken.into_iter().map(each).collect()
}

impl Eye {
    fn take(&mut self) -> Taken {
        self.camera.latest(self.age_max).map_err(|error| match error {
            CameraError::Stale { .. } => Miss::Late(error.to_string()),
            CameraError::Device { .. } => Miss::Lost(error.to_string()),
        })
    }

    /// The picture, or the one before while that may stand in; says whether it did.
    fn judge(
        &mut self,
        taken: Taken,
        tcp_poses: &[Pose],
        stale_max: u32,
    ) -> Result<(Frame, bool), Fault> {
        let error = match taken {
            Ok(picture) => match self.frozen(&picture.value, tcp_poses) {
                None => {
                    self.stale_in_a_row = 0;
                    self.trouble = None;
                    self.last = Some(picture.value.clone());
                    return Ok((picture.value, false));
                }
                Some(reason) => reason,
            },
            Err(Miss::Late(error)) => error,
            Err(Miss::Lost(error)) => {
                self.trouble = Some(error.clone());
                return Err(Fault::CameraLost(error));
            }
        };
        self.stale_in_a_row += 1;
        self.trouble = Some(error.clone());
        match &self.last {
            Some(last) if self.stale_in_a_row <= stale_max => Ok((last.clone(), true)),
            _ => Err(Fault::CameraLost(error)),
        }
    }

    /// Looks between episodes.
    fn look_at_rest(&mut self, tcp_poses: &[Pose]) -> Result<(), Fault> {
        self.last = None;
        let taken = self.take();
        self.judge(taken, tcp_poses, 0).map(drop)
    }

    /// Says why a picture that claims to be new cannot be. A camera without noise may show the same for
    /// as long as the arm moves where it does not look.
    fn frozen(&mut self, picture: &Frame, tcp_poses: &[Pose]) -> Option<String> {
        if self.camera.info().noiseless {
            return None;
        }
        let from = match &mut self.newest {
            Some((known, from)) if known == picture => from.get_or_insert_with(|| tcp_poses.into()),
            _ => {
                self.newest = Some((picture.clone(), None));
                return None;
            }
        };
        let way =
            |(from, to): (&Pose, &Pose)| (to.translation.vector - from.translation.vector).norm();
        let moved = from.iter().zip(tcp_poses).map(way).fold(0.0, f64::max);
        let name = &self.camera.info().name;
        (moved > FROZEN_MOTION_M).then(|| {
            let moved_mm = moved * 1e3;
            format!("camera {name} is frozen: the arm moved {moved_mm:.0} mm and the picture is the same")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drivers::CameraInfo;
    use wire::Timestamp;

    /// Gives the same picture for ever and claims that it is new.
    struct Same(CameraInfo);

    impl Camera for Same {
        fn info(&self) -> &CameraInfo {
            &self.0
        }
        fn latest(&mut self, _: Duration) -> Result<Stamped<Frame>, CameraError> {
            let value = Frame::new(1, 1, vec![1, 2, 3]).expect("three bytes");
            Ok(Stamped { at: Timestamp(0), value })
        }
    }

    fn eye(noiseless: bool) -> Eye {
        let info = CameraInfo { name: "wrist".into(), width: 1, height: 1, noiseless };
        Eye {
            camera: Box::new(Same(info)),
            age_max: Duration::from_secs(1),
            last: None,
            newest: None,
            stale_in_a_row: 0,
            trouble: None,
        }
    }

    fn at(place_mm: f64) -> Pose {
        Pose::translation(place_mm * 1e-3, 0.0, 0.0)
    }

    /// Looks with the TCP at these places (mm): which of them say that the camera is frozen.
    fn frozen_at(places_mm: &[f64]) -> Vec<f64> {
        let mut eye = eye(false);
        let look = |place: &&f64| {
            let taken = eye.take();
            eye.judge(taken, &[at(**place)], 0).is_err()
        };
        places_mm.iter().filter(look).copied().collect()
    }

    #[test]
    fn a_picture_that_is_much_older_than_another_does_not_belong_to_the_step() {
        let picture = |ms: u64| {
            let value = Frame::new(1, 1, vec![1, 2, 3]).expect("three bytes");
            Ok(Stamped { at: Timestamp(ms * 1_000_000), value })
        };
        let lost = Err(Miss::Lost("gone".into()));
        let taken = vec![picture(100), picture(149), lost, picture(200)];
        let fits = |taken: &Taken| match taken {
            Ok(picture) => picture.at.0 / 1_000_000,
            Err(Miss::Late(reason)) => reason.contains("100ms").into(),
            Err(Miss::Lost(_)) => 0,
        };
        let kept: Vec<u64> = in_step(taken, Duration::from_millis(51)).iter().map(fits).collect();
        assert_eq!(kept, [1, 149, 0, 200]);
    }

    #[test]
    fn a_picture_that_stays_the_same_while_the_arm_moves_is_frozen() {
        assert_eq!(frozen_at(&[0.0, 6.0, 12.0, 18.0, 24.0]), [18.0, 24.0]);
    }

    /// The arm moved on between its reading and the picture, and stands still since.
    #[test]
    fn an_arm_that_came_to_rest_while_the_picture_was_taken_may_see_it_for_ever() {
        assert_eq!(frozen_at(&[0.0, 20.0, 20.0, 21.0, 20.0]), [0.0; 0]);
    }

    /// Where it does not see the arm it shows the same for good reason.
    #[test]
    fn a_camera_without_noise_is_never_frozen_and_any_other_may_be() {
        for (noiseless, sound) in [(true, true), (false, false)] {
            let mut eye = eye(noiseless);
            let looks = [0.0, 0.0, 20.0].map(|place| {
                let taken = eye.take();
                eye.judge(taken, &[at(place)], 0).is_ok()
            });
            assert_eq!(looks, [true, true, sound]);
            assert_eq!(eye.look_at_rest(&[at(20.0)]).is_ok(), sound);
        }
    }
}

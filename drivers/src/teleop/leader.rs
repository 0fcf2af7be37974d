//! A leader arm: an SO-101 without torque. Moving it takes the arm over, and the arm's tool goes as the
//! leader's tool goes.
//!
//! Only the motion counts, not where the leader stands: so a takeover is smooth wherever the two arms are,
//! and the arm need not be an SO-101. A leader that is unplugged or falls silent is an error until it is
//! back, so that the arm is held and not given to the policy.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use thiserror::Error;
use wire::{Clock, Mark, Timestamp};

use self::hand::Hand;
pub use self::hand::LeaderFeel;
use super::{
    Teleop, TeleopError, TeleopSample,
    buttons::RoleSet,
    newest::{Newest, Shared, Watched},
};
use crate::{
    EpisodeBrief, Stamped,
    arm::{
        ArmError,
        so101::{
            CalibrationError,
            calibration::{Calibration, IDS, SERVOS},
            kinematics::{JOINTS, Joints, Kinematics},
            ready,
        },
    },
    feetech::{
        Bus, is_silence,
        registers::{POSITION_SIGN, PRESENT_POSITION, TORQUE_ENABLE, signed},
    },
};

mod hand;

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(10);
/// Servos that say nothing for so long are gone.
const SILENCE_MAX: Duration = Duration::from_millis(150);
/// How often a leader that is gone is looked for.
const SEARCH_PERIOD: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq)]
pub struct LeaderConfig {
    /// The serial device.
    pub device: PathBuf,
    /// The file that `lerobot-calibrate` wrote for this leader.
    pub calibration: PathBuf,
    pub feel: LeaderFeel,
    /// So long the newest sample moves the arm at most.
    pub dead_man: Duration,
}

#[derive(Debug, Error)]
pub enum LeaderError {
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    #[error(
        "the leader's servos do not answer on {device}: is it powered, is the cable in, is it the right \
         device, and may this user open it (group dialout)?"
    )]
    Reach { device: PathBuf, source: io::Error },
    #[error("the leader on {device} is not ready")]
    NotReady { device: PathBuf, source: ArmError },
    #[error("the thread for the leader could not be started")]
    Thread(#[source] io::Error),
}

pub struct Leader {
    name: String,
    watched: Watched,
}

impl Leader {
    /// The leader must be there, and its torque goes off; when it goes away later it is looked for. `host`
    /// is the machine's clock, `clock` the cell's, in which samples are stamped.
    pub fn open(
        config: LeaderConfig,
        host: Arc<dyn Clock>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LeaderError> {
        let LeaderConfig { device, calibration, feel, dead_man } = config;
        let calibration = Calibration::load(&calibration)?;
        let bus = open(&device, &calibration)?;
        let now = host.now();
        let newest = Shared::new(Newest::at_rest(now, false));
        let name = format!("leader arm on {}", device.display());
        let reader = Reader {
            device,
            calibration,
            kinematics: Kinematics::new(),
            hand: Hand::new(feel),
            bus: Some(bus),
            heard_at: now,
            searched_at: now,
            newest: newest.clone(),
            host: host.clone(),
        };
        let ending = Arc::<AtomicBool>::default();
        let end = ending.clone();
        let thread = thread::Builder::new()
            .name("leader".into())
            .spawn(move || reader.run(&end))
            .map_err(LeaderError::Thread)?;
        let watched = Watched::new(newest, [host, clock], dead_man, ending, Some(thread));
        Ok(Self { name, watched })
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The leader with this calibration, free to be moved.
fn open(device: &Path, calibration: &Calibration) -> Result<Bus, LeaderError> {
    let device = || device.to_owned();
    let reach = |source| LeaderError::Reach { device: device(), source };
    let mut bus = Bus::open(&device()).map_err(reach)?;
    ready::check(&mut bus, calibration)
        .map_err(reach)?
        .map_err(|source| LeaderError::NotReady { device: device(), source })?;
    for id in IDS {
        bus.write(id, TORQUE_ENABLE, &[0]).map_err(reach)?;
    }
    Ok(bus)
}

impl Teleop for Leader {
    fn sample(&mut self) -> Result<Stamped<TeleopSample>, TeleopError> {
        self.watched.sample()
    }

    fn mark(&mut self) -> Option<Mark> {
        self.watched.mark()
    }

    fn announce(&mut self, _: &EpisodeBrief) {
        self.watched.announce();
    }

    /// The leader says each hundredth of a second where it is.
    fn dead_man(&self) -> Option<Duration> {
        Some(self.watched.dead_man)
    }
}

/// The thread that owns the line.
struct Reader {
    device: PathBuf,
    calibration: Calibration,
    kinematics: Kinematics,
    hand: Hand,
    bus: Option<Bus>,
    heard_at: Timestamp,
    searched_at: Timestamp,
    newest: Shared,
    host: Arc<dyn Clock>,
}

impl Reader {
    fn run(mut self, ending: &AtomicBool) {
        while !ending.load(Ordering::SeqCst) {
            let begun = self.host.now();
            if self.bus.is_none() {
                self.search(begun);
            }
            if let Some(mut bus) = self.bus.take() {
                match self.look(&mut bus) {
                    Ok(()) => self.bus = Some(bus),
                    Err(error)
                        if is_silence(&error)
                            && self.host.now().since(self.heard_at) < SILENCE_MAX =>
                    {
                        self.bus = Some(bus);
                    }
                    Err(error) => {
                        tracing::warn!("the leader arm is gone: {error}; it is looked for");
                        self.say_gone(format!("{}: {error}", self.device.display()));
                    }
                }
            }
            self.host.sleep_until(begun + PERIOD);
        }
    }

    fn search(&mut self, now: Timestamp) {
        if now.since(self.searched_at) < SEARCH_PERIOD {
            return;
        }
        self.searched_at = now;
        match open(&self.device, &self.calibration) {
            Ok(bus) => {
                tracing::info!("the leader arm is back");
                self.heard_at = self.host.now();
                self.bus = Some(bus);
            }
            Err(error) => self.say_gone(error.to_string()),
        }
    }

    fn look(&mut self, bus: &mut Bus) -> io::Result<()> {
        let present = bus.read_all::<2, SERVOS>(IDS, PRESENT_POSITION)?;
        let now = self.host.now();
        self.heard_at = now;
        let ticks = present.map(|answer| signed(&answer.data, POSITION_SIGN));
        let joints = Joints::from_fn(|i, _| self.calibration.radians(i, ticks[i]));
        let trigger = self.calibration.share(JOINTS, ticks[JOINTS]);
        let push = self.hand.hear(now, self.kinematics.forward(&joints), trigger);
        let mut newest = self.newest.lock();
        newest.gone = None;
        newest.alive_at = now;
        (newest.twist, newest.engaged) = (push.twist, push.engaged);
        if let Some(role) = push.press {
            newest.buttons.hear(now, RoleSet::default().with(role));
            newest.buttons.hear(now, RoleSet::default());
        }
        Ok(())
    }

    fn say_gone(&mut self, why: String) {
        self.hand.forget();
        let mut newest = self.newest.lock();
        newest.gone = Some(why);
        (newest.twist, newest.engaged) = ([0.0; 6], false);
        newest.buttons.let_go();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use wire::{GripperCommand, SystemClock};

    use super::*;
    use crate::arm::so101::tests::Rig;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn config(rig: &Rig) -> LeaderConfig {
        let arm = rig.config();
        LeaderConfig {
            device: arm.device,
            calibration: arm.calibration,
            feel: hand::tests::FEEL,
            dead_man: Duration::from_millis(200),
        }
    }

    struct Bench {
        rig: Rig,
        leader: Leader,
        clock: Arc<SystemClock>,
    }

    impl Bench {
        fn new() -> Self {
            let rig = Rig::new();
            rig.servos.set(|inside| inside.servos[0].registers[40] = 1);
            let clock = Arc::new(SystemClock::new());
            let leader = Leader::open(config(&rig), clock.clone(), clock.clone()).unwrap();
            Self { rig, leader, clock }
        }

        #[track_caller]
        fn wait(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
            let until = self.clock.now() + PATIENCE;
            while !is_so(self) {
                assert!(self.clock.now() < until, "never: {what}; {:?}", self.leader.sample());
                thread::sleep(Duration::from_millis(2));
            }
        }

        /// Moves the first joint for this long, as a hand does.
        fn swing(&mut self, time: Duration, mut look: impl FnMut(TeleopSample)) {
            let begun = self.clock.now();
            let from = self.rig.servos.inside().servos[0].ticks;
            while self.clock.now().since(begun) < time {
                let seconds = self.clock.now().since(begun).as_secs_f64();
                self.rig.servos.set(|inside| inside.servos[0].ticks = from + 400.0 * seconds);
                look(self.leader.sample().unwrap().value);
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    #[test]
    fn it_is_free_to_be_moved_and_still_until_it_is() {
        let mut bench = Bench::new();
        assert!(bench.rig.servos.inside().servos.iter().all(|servo| !servo.torque()));
        thread::sleep(Duration::from_millis(150));
        let sample = bench.leader.sample().unwrap();
        assert_eq!(sample.value, TeleopSample::default());
        assert!(bench.clock.now().since(sample.at) < Duration::from_millis(100));
    }

    #[test]
    fn moving_it_takes_over_and_letting_go_gives_back() {
        let mut bench = Bench::new();
        let mut seen = Vec::new();
        bench.swing(Duration::from_millis(500), |sample| seen.push(sample));
        let sideways = |sample: &TeleopSample| sample.engaged && sample.twist[1].abs() > 0.2;
        assert!(seen.iter().any(sideways), "{:?}", seen.last());
        bench.wait("rest", |bench| !bench.leader.sample().unwrap().value.engaged);
    }

    #[test]
    fn its_trigger_closes_and_opens_the_gripper() {
        let mut bench = Bench::new();
        thread::sleep(Duration::from_millis(50));
        let calibration = rig_calibration(&bench.rig);
        for (ticks, wanted) in [
            (calibration.0[5].range_min, GripperCommand::Close),
            (calibration.0[5].range_max, GripperCommand::Open),
        ] {
            bench.rig.servos.set(|inside| inside.servos[5].ticks = ticks.into());
            bench.wait("press", |bench| {
                let sample = bench.leader.sample().unwrap().value;
                sample.gripper == wanted && sample.engaged
            });
            bench.wait("once", |bench| {
                bench.leader.sample().unwrap().value == TeleopSample::default()
            });
        }
    }

    fn rig_calibration(rig: &Rig) -> Calibration {
        Calibration::load(&rig.config().calibration).unwrap()
    }

    #[test]
    fn one_that_is_unplugged_is_gone_and_one_that_comes_back_is_at_rest() {
        let mut bench = Bench::new();
        bench.swing(Duration::from_millis(200), |_| {});
        bench.rig.servos.set(|inside| inside.cut = true);
        let begun = bench.clock.now();
        bench.wait("gone", |bench| bench.leader.sample().is_err());
        assert!(bench.clock.now().since(begun) < Duration::from_millis(500));
        bench.rig.servos.set(|inside| {
            // Moved meanwhile.
            inside.servos[0].ticks += 300.0;
            inside.servos[0].registers[40] = 1;
            inside.cut = false;
        });
        bench.wait("back", |bench| bench.leader.sample().is_ok());
        assert_eq!(bench.leader.sample().unwrap().value, TeleopSample::default());
        assert!(!bench.rig.servos.inside().servos[0].torque(), "free again");
    }

    #[test]
    fn the_file_of_another_arm_is_refused() {
        let rig = Rig::new();
        let config = config(&rig);
        let text = fs::read_to_string(&config.calibration).unwrap();
        fs::write(&config.calibration, text.replace("1292", "7")).unwrap();
        let clock = Arc::new(SystemClock::new());
        let Err(LeaderError::NotReady { source, .. }) = Leader::open(config, clock.clone(), clock)
        else {
            panic!("it opened")
        };
        assert!(source.to_string().contains("gripper is calibrated otherwise"), "{source}");
    }
}

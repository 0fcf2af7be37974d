//! A cell of two arms: each arm's devices are opened as those of a cell by itself, and what belongs to
//! both is put together here.

use std::time::Duration;

use drivers::{
    Camera, CameraError, CameraInfo, EpisodeBrief, Fixture, FixtureError, Stamped, SuccessSensor,
};
use tasks::{CellConfig, TaskConfig};
use wire::Frame;

/// Mixed into seeds, so that the second arm's world is not the first's over again.
const SECOND: u64 = u64::from_le_bytes(*b"second\0\0");

/// Cell and task as one of the arms has them, with the cameras of its own world.
pub struct Side {
    pub cell: CellConfig,
    pub task: TaskConfig,
    pub seed: u64,
    /// There is another arm beside it.
    pub is_of_two: bool,
}

/// One for each arm.
pub fn sides(cell: &CellConfig, task: &TaskConfig, seed: u64) -> Vec<Side> {
    let (mut own, mut theirs) = (Vec::new(), Vec::new());
    for name in &task.cameras {
        match cell.second_camera(name) {
            Some(name) => theirs.push(name.to_owned()),
            None => own.push(name.clone()),
        }
    }
    let cell_arms = cell.arms();
    let arms = cell.arm_cells().into_iter().zip(task.arm_tasks());
    let worlds = [(own, seed), (theirs, second_seed(seed))];
    let side = |((cell, task), (cameras, seed)): ((_, TaskConfig), _)| Side {
        cell,
        task: TaskConfig { cameras, ..task },
        seed,
        is_of_two: cell_arms > 1,
    };
    arms.zip(worlds).map(side).collect()
}

/// A cell file has no room for the sign bit.
fn second_seed(seed: u64) -> u64 {
    (seed ^ SECOND) & (u64::MAX >> 1)
}

/// A camera of the second arm's world, under the name that tasks have for it.
pub struct OfSecond {
    camera: Box<dyn Camera>,
    info: CameraInfo,
}

impl OfSecond {
    pub fn new(camera: Box<dyn Camera>, name: &str) -> Self {
        let info = CameraInfo { name: name.into(), ..camera.info().clone() };
        Self { camera, info }
    }
}

impl Camera for OfSecond {
    fn info(&self) -> &CameraInfo {
        &self.info
    }

    fn latest(&mut self, max_age: Duration) -> Result<Stamped<Frame>, CameraError> {
        let camera = self.info.name.clone();
        self.camera.latest(max_age).map_err(|error| match error {
            CameraError::Stale { age, .. } => CameraError::Stale { camera, age },
            CameraError::Device { reason, .. } => CameraError::Device { camera, reason },
        })
    }
}

/// The work-pieces of two worlds.
pub struct BothPrepared(pub [Box<dyn Fixture>; 2]);

impl Fixture for BothPrepared {
    fn prepare(&mut self, brief: &EpisodeBrief) -> Result<(), FixtureError> {
        let [first, second] = &mut self.0;
        first.prepare(brief)?;
        second.prepare(&EpisodeBrief { seed: second_seed(brief.seed), ..*brief })
    }
}

/// The task is done when it is done in both worlds, and cannot be done any more when it cannot in one.
pub struct BothDone(pub [Box<dyn SuccessSensor>; 2]);

impl SuccessSensor for BothDone {
    fn succeeded(&mut self) -> bool {
        let [first, second] = &mut self.0;
        let done = [first.succeeded(), second.succeeded()];
        done == [true; 2]
    }

    fn sees(&mut self) -> Option<bool> {
        let [first, second] = &mut self.0;
        let seen = [first.sees(), second.sees()];
        Some(seen[0]? && seen[1]?)
    }

    fn lost(&mut self) -> bool {
        let [first, second] = &mut self.0;
        let lost = [first.lost(), second.lost()];
        lost != [false; 2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Done, lost.
    struct Says(Option<bool>, bool);

    impl SuccessSensor for Says {
        fn succeeded(&mut self) -> bool {
            self.0 == Some(true)
        }
        fn sees(&mut self) -> Option<bool> {
            self.0
        }
        fn lost(&mut self) -> bool {
            self.1
        }
    }

    #[track_caller]
    fn check(first: Says, second: Says, sees: Option<bool>, lost: bool) {
        let mut both = BothDone([Box::new(first), Box::new(second)]);
        assert_eq!((both.sees(), both.lost()), (sees, lost));
        assert_eq!(both.succeeded(), sees == Some(true));
    }

    #[test]
    fn done_is_what_both_worlds_have_done_and_lost_what_one_has() {
        check(Says(Some(true), false), Says(Some(true), false), Some(true), false);
        check(Says(Some(true), false), Says(Some(false), true), Some(false), true);
        check(Says(Some(false), true), Says(Some(true), false), Some(false), true);
        check(Says(Some(true), false), Says(None, false), None, false);
    }

    #[test]
    fn each_side_has_the_cameras_of_its_own_world_and_a_seed_of_its_own() {
        let cell = "name = \"c\"\nlimits = { workspace_min_m = [0,0,0], workspace_max_m = [1,1,1] }\n\
                    camera = [{ name = \"wrist\" }, { name = \"second-wrist\" }]\n\
                    second = { limits = { workspace_min_m = [0,0,0], workspace_max_m = [1,1,1] } }\n";
        let task = "name = \"t\"\ncameras = [\"second-wrist\", \"wrist\"]\n\
                    reset = { position_m = [0,0,0], travel_z_m = 1 }\n\
                    second = { reset = { position_m = [1,0,0], travel_z_m = 1 } }\n";
        let cell = CellConfig::from_toml(cell, "cell").unwrap();
        let task = TaskConfig::from_toml(task, "task").unwrap();
        let sides = sides(&cell, &task, 7);
        assert_eq!(sides.len(), 2);
        for side in &sides {
            assert_eq!(side.task.cameras, ["wrist"]);
            assert!(side.cell.camera("wrist").is_some() && side.cell.cameras.len() == 1);
        }
        assert_eq!(sides[1].task.reset.position_m[0], 1.0);
        assert!(sides[0].seed == 7 && sides[1].seed != 7);
        assert!(i64::try_from(sides[1].seed).is_ok());
    }
}

//! The cell's clocks: one that makes the physics pass when somebody sleeps on it, and the thread
//! that steps the physics along the wall clock.

use std::{
    sync::{Arc, Mutex, Weak},
    thread,
    time::Duration,
};

use wire::{Clock, SystemClock, Timestamp, UnixNanos};

use crate::{
    error::SimError,
    scene::TICK_NS,
    world::{SharedWorld, World},
};

/// Simulated runs begin on 2026-01-01 at 00:00 UTC, so that recordings can be reproduced.
const EPOCH: UnixNanos = UnixNanos(1_767_225_600_000_000_000);

/// Time as the world has it. `sleep_until` steps the physics on the caller's thread.
#[derive(Debug)]
pub(crate) struct SimulatedClock(pub SharedWorld);

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.0.lock().now()
    }

    fn sleep_until(&self, deadline: Timestamp) {
        self.0.lock().advance_to(deadline);
    }

    fn wall_now(&self) -> UnixNanos {
        UnixNanos(EPOCH.0 + self.now().0)
    }
}

/// The time of two simulated cells that go in step: whoever sleeps on it steps the physics of both.
pub fn in_step(first: Arc<dyn Clock>, second: Arc<dyn Clock>) -> Arc<dyn Clock> {
    Arc::new(InStep { first, second })
}

struct InStep {
    first: Arc<dyn Clock>,
    second: Arc<dyn Clock>,
}

impl Clock for InStep {
    fn now(&self) -> Timestamp {
        self.first.now()
    }

    fn sleep_until(&self, deadline: Timestamp) {
        self.first.sleep_until(deadline);
        self.second.sleep_until(deadline);
    }

    fn wall_now(&self) -> UnixNanos {
        self.first.wall_now()
    }
}

/// Starts the thread that steps the physics along `clock`. It ends when the world's last user has
/// gone.
pub(crate) fn run_in_real_time(
    world: &SharedWorld,
    clock: Arc<SystemClock>,
) -> Result<(), SimError> {
    const NAME: &str = "sim-physics";
    let world = world.downgrade();
    thread::Builder::new()
        .name(NAME.into())
        .spawn(move || follow(&world, clock.as_ref()))
        .map(drop)
        .map_err(|source| SimError::Thread { name: NAME, source })
}

fn follow(world: &Weak<Mutex<World>>, clock: &dyn Clock) {
    let tick = Duration::from_nanos(TICK_NS);
    let mut deadline = clock.now();
    let mut dropped = 0_u64;
    loop {
        deadline = (deadline + tick).max(clock.now());
        clock.sleep_until(deadline);
        let Some(world) = SharedWorld::upgrade(world) else {
            return;
        };
        if world.lock().catch_up_to(clock.now()) {
            dropped += 1;
            if dropped == 1 {
                tracing::warn!("the machine is too slow for the simulated cell; time was dropped");
            }
        }
    }
}

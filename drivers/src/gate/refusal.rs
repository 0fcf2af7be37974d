//! Why the gate takes no command: a trip, which recovering the arm ends, and the emergency stop,
//! which stays latched until an operator clears it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What stopped the arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Trip {
    /// Somebody stopped it.
    Stopped,
    /// Nobody renewed the lease for so long that the arm was stopped.
    LeaseLost,
    /// The arm gave no state for so long that it was stopped.
    StateLost,
    /// The environment pushed back too hard.
    Force,
    /// It stands too far outside to be brought back.
    OutsideWorkspace {
        /// Where it stands (m, base frame).
        at: [f64; 3],
        /// How far the nearest pose inside is (m, rad).
        beyond: [f64; 2],
    },
    Emergency(String),
    /// The latch cannot be cleared before the arm has been recovered.
    NotRecovered,
    /// The other arm of the pair stopped.
    Partner,
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("it was stopped"),
            Self::LeaseLost => {
                f.write_str("nobody commanded it any more, so it held and was then stopped")
            }
            Self::StateLost => f.write_str("it gave no state any more, so it was stopped"),
            Self::Force => {
                f.write_str("it met more force than limits.force_max_n or torque_max_nm allow")
            }
            Self::OutsideWorkspace { at: [x, y, z], beyond: [metres, radians] } => write!(
                f,
                "it stands at {x:.3}, {y:.3}, {z:.3} m, by {metres:.3} m and {radians:.2} rad outside \
                 the workspace: move it back by hand, or widen the workspace of the cell"
            ),
            Self::Emergency(why) => {
                write!(f, "emergency stop: {why}; an operator must recover the arm and clear it")
            }
            Self::Partner => f.write_str(
                "the other arm of the pair stopped: recover that one first, then this one",
            ),
            Self::NotRecovered => {
                f.write_str("the emergency stop is not cleared: recover the arm first")
            }
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Refusal {
    trip: Option<Trip>,
    emergency: Option<Emergency>,
}

#[derive(Clone, Debug)]
struct Emergency {
    trip: Trip,
    recovered: bool,
}

impl Refusal {
    pub fn trip(&self) -> Option<&Trip> {
        self.emergency.as_ref().map(|emergency| &emergency.trip).or(self.trip.as_ref())
    }

    pub fn is_emergency(&self) -> bool {
        self.emergency.is_some()
    }

    /// The first reason stays: what comes after is its consequence.
    pub fn trip_over(&mut self, trip: Trip) {
        self.trip.get_or_insert(trip);
    }

    pub fn latch(&mut self, why: &str) {
        let trip = Trip::Emergency(why.into());
        self.emergency = Some(Emergency { trip, recovered: false });
    }

    pub fn recovered(&mut self) {
        self.trip = None;
        if let Some(emergency) = &mut self.emergency {
            emergency.recovered = true;
        }
    }

    pub fn clear(&mut self) -> Result<(), Trip> {
        match &self.emergency {
            Some(Emergency { recovered: false, .. }) => Err(Trip::NotRecovered),
            _ => {
                self.emergency = None;
                Ok(())
            }
        }
    }
}

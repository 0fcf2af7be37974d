//! The timelines of the recording, and where on them a row lies.

use rerun::{TimeCell, TimeColumn};
use wire::EpisodeId;

use crate::view_event::MomentView;

/// Training steps of the run; rows of other episodes are not on it.
pub const ENV_STEP: &str = "env_step";
pub const EPISODE: &str = "episode";
/// The cell's clock: simulated where the cell is.
pub const CELL_TIME: &str = "cell_time";
/// When the row was handed to the recording, on this machine's wall clock. The name is rerun's own,
/// which the learner's recording has too: in a simulated cell the cell's dates are made up.
pub const LOG_TIME: &str = "log_time";

/// A place on every timeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    env_step: Option<i64>,
    episode: i64,
    cell_ns: i64,
    logged_ns: i64,
}

impl Moment {
    pub fn new(env_step: Option<u64>, episode: EpisodeId, at: MomentView) -> Self {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        Self {
            env_step: env_step.map(signed),
            episode: i64::from(episode.0),
            cell_ns: signed(at.cell.0),
            logged_ns: TimeCell::timestamp_now().as_i64(),
        }
    }
}

/// One column per timeline. All `moments` are of training, or none.
pub fn columns(moments: &[Moment]) -> Vec<TimeColumn> {
    let of = |value: fn(&Moment) -> i64| moments.iter().map(value).collect::<Vec<_>>();
    let env_steps: Vec<_> = moments.iter().filter_map(|moment| moment.env_step).collect();
    let mut columns = vec![
        TimeColumn::new_sequence(EPISODE, of(|moment| moment.episode)),
        TimeColumn::new_duration_nanos(CELL_TIME, of(|moment| moment.cell_ns)),
        TimeColumn::new_timestamp_nanos_since_epoch(LOG_TIME, of(|moment| moment.logged_ns)),
    ];
    if env_steps.len() == moments.len() {
        columns.push(TimeColumn::new_sequence(ENV_STEP, env_steps));
    }
    columns
}

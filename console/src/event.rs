//! What the person says with a button or a key.

use serde::{Deserialize, Serialize};

/// One word of the operator. The page shows a button for each one that the actor understands, and
/// none for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorEvent {
    /// Go on after a pause, or with the next demonstration.
    Start,
    /// Hold the arm between two steps until `Start`.
    Pause,
    /// The task is done, whatever the sensor says.
    Success,
    /// The task has failed, whatever the sensor says.
    Failure,
    /// End the episode: neither success nor failure. The next one begins with a reset.
    Reset,
    /// The demonstration that has ended counts.
    Keep,
    /// It does not count; one that is under way ends.
    Discard,
    /// It does not count, and the wait for a word goes on.
    Undo,
    /// The policy drives again at once, also after the page's hand was lost.
    Release,
    /// Stop the arm; only `Recover` ends that.
    SoftStop,
    /// The operator has looked at the cell: the arm may move again.
    Recover,
}

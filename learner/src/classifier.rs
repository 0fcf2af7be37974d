//! Training and measuring the reward classifier on labelled frames, away from any run: which frames
//! there are, which are held out, the training itself, the thresholds, the figures.
//!
//! Never decides what a person meant: labels come with the frames.

mod figures;
mod frames;
mod threshold;
mod training;

pub use figures::{CALIBRATION_BINS, CalibrationBin, Figures, Judged};
pub use frames::{FrameSet, FrameSetError, LabelledFrame, Recompute, Split};
pub use threshold::threshold;
pub use training::{ClassifierTraining, Trained, TrainingError, train};

//! The classifier as an actor runs it: the features of one moment in, probabilities out.

use tch::Device;
use wire::Features;

use super::{Classes, Classifier, ClassifierError, ClassifierFileError};
use crate::snapshot::to_vec;

/// Frames that are judged at a time where there are many.
const CHUNK: usize = 256;

/// A classifier that looks at the features of a task's cameras.
#[derive(Debug)]
pub struct ClassifierRuntime {
    classifier: Classifier,
    places: Vec<usize>,
}

impl ClassifierRuntime {
    /// For a task with these cameras, in the order in which their features come.
    pub fn new(classifier: Classifier, task_cameras: &[String]) -> Result<Self, ClassifierError> {
        let places = classifier.spec.places(task_cameras)?;
        Ok(Self { classifier, places })
    }

    pub fn from_bytes(
        bytes: &[u8],
        task_cameras: &[String],
        device: Device,
    ) -> Result<Self, ClassifierFileError> {
        Ok(Self::new(Classifier::from_bytes(bytes, device)?, task_cameras)?)
    }

    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    pub fn classes(&self) -> Classes {
        self.classifier.spec.classes
    }

    pub fn thresholds(&self) -> &[f32] {
        &self.classifier.thresholds
    }

    /// From which probability on the output counts as seen.
    pub fn set_threshold(&mut self, output: usize, threshold: f32) {
        self.classifier.thresholds[output] = threshold;
    }

    /// Probability of each output for one frame.
    pub fn judge(&self, features: &[Features]) -> Result<Vec<f32>, ClassifierError> {
        self.judge_all(&[features]).map(|mut rows| rows.remove(0))
    }

    /// The same for many frames.
    pub fn judge_all(&self, frames: &[&[Features]]) -> Result<Vec<Vec<f32>>, ClassifierError> {
        let Classifier { spec, network, params, .. } = &self.classifier;
        let mut rows = Vec::with_capacity(frames.len());
        for chunk in frames.chunks(CHUNK) {
            let inputs = spec.inputs(chunk, &self.places)?;
            let inputs: Vec<_> = inputs.iter().map(|x| x.to_device(params.device())).collect();
            let probabilities = tch::no_grad(|| {
                to_vec(&spec.classes.probabilities(&network.forward(
                    params.frozen(),
                    &inputs,
                    None,
                )))
            });
            if !probabilities.iter().all(|p| p.is_finite()) {
                return Err(ClassifierError::NotFinite);
            }
            rows.extend(probabilities.chunks(spec.classes.outputs()).map(<[f32]>::to_vec));
        }
        Ok(rows)
    }
}

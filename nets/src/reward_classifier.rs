//! Tells from a camera's frozen features whether the task is done: yes or no, one of several
//! classes, or how many stages have been reached (hil-serl.md, section 4).
//!
//! The features are those that the policy acts on, so a judgement costs a head and no backbone.
//! Never sees proprioception: where the arm is belongs to the gate of the task file.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};
use thiserror::Error;
use wire::{Features, WeightsHash};

use crate::{
    head::CameraEmbedding,
    init::Init,
    mlp::{Dense, LAYER_NORM_EPS},
    params::{Layout, ParamId, Views},
};

mod file;
mod runtime;

pub use file::{Classifier, ClassifierFileError, fingerprint};
pub use runtime::ClassifierRuntime;

const CAMERAS_MAX: usize = 16;
const WIDTH_MAX: i64 = 1 << 16;
/// Classes or stages, at most.
pub const OUTPUTS_MAX: u8 = 16;

/// What the labels of frames are, and what the outputs stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Classes {
    /// Label 1 is success, 0 everything else. One output, a sigmoid.
    Binary,
    /// Labels 0 to `classes` - 1, of which one is success. As many outputs, a softmax.
    NWay { classes: u8, success: u8 },
    /// A label is the number of stages reached; all of them are success. One sigmoid per stage: has
    /// it been reached?
    Stages { stages: u8 },
}

impl Classes {
    pub fn outputs(self) -> usize {
        match self {
            Self::Binary => 1,
            Self::NWay { classes, .. } => classes.into(),
            Self::Stages { stages } => stages.into(),
        }
    }

    /// Labels are below this.
    pub fn labels(self) -> u8 {
        match self {
            Self::Binary => 2,
            Self::NWay { classes, .. } => classes,
            Self::Stages { stages } => stages + 1,
        }
    }

    /// The label of a frame that shows success.
    pub fn success_label(self) -> u8 {
        match self {
            Self::Binary => 1,
            Self::NWay { success, .. } => success,
            Self::Stages { stages } => stages,
        }
    }

    /// The output that says whether the task is done.
    pub fn success_output(self) -> usize {
        match self {
            Self::Binary => 0,
            Self::NWay { success, .. } => success.into(),
            Self::Stages { stages } => usize::from(stages) - 1,
        }
    }

    /// Whether an output should be 1 for a frame with this label.
    pub fn is_target(self, output: usize, label: u8) -> bool {
        match self {
            Self::Binary => label == 1,
            Self::NWay { .. } => usize::from(label) == output,
            Self::Stages { .. } => usize::from(label) > output,
        }
    }

    /// [batch, outputs] of logits to probabilities.
    pub fn probabilities(self, logits: &Tensor) -> Tensor {
        match self {
            Self::Binary | Self::Stages { .. } => logits.sigmoid(),
            Self::NWay { .. } => logits.softmax(1, Kind::Float),
        }
    }

    fn check(self) -> Result<(), ClassifierError> {
        let fits = match self {
            Self::Binary => true,
            Self::NWay { classes, success } => {
                (2..=OUTPUTS_MAX).contains(&classes) && success < classes
            }
            Self::Stages { stages } => (1..=OUTPUTS_MAX).contains(&stages),
        };
        if fits { Ok(()) } else { Err(ClassifierError::Spec("classes")) }
    }
}

/// What a classifier is made of and what it looks at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierSpec {
    pub classes: Classes,
    /// Of the task's cameras, those that it looks through.
    pub cameras: Vec<String>,
    /// The backbone whose features it was trained on.
    pub backbone: WeightsHash,
    /// Channels, height, width of a feature map.
    pub feature_shape: [i64; 3],
    pub kernels: i64,
    pub bottleneck: i64,
    pub hidden: i64,
    /// Share of the embedded and of the hidden values that is dropped in training.
    pub dropout: f64,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ClassifierError {
    #[error("a classifier's {0} is out of bounds")]
    Spec(&'static str),
    #[error(
        "the classifier looks through camera {camera}, which the task does not name: add it to \
         `cameras` of the task file, or train the classifier for this task"
    )]
    Camera { camera: String },
    #[error(
        "features of {got} cameras came, the classifier needs {needed}: run the backbone first"
    )]
    Features { needed: usize, got: usize },
    #[error("camera {camera} has {got} feature values, the classifier was trained with {expected}")]
    FeatureDim { camera: String, expected: usize, got: usize },
    #[error(
        "camera {camera} has features of backbone {got:?}, the classifier was trained on \
         {expected:?}: use the same [backbone], or train the classifier again"
    )]
    Backbone { camera: String, expected: WeightsHash, got: WeightsHash },
    #[error("the classifier gave a probability that is not finite")]
    NotFinite,
}

impl ClassifierSpec {
    /// The reference's sizes.
    pub fn new(
        classes: Classes,
        cameras: Vec<String>,
        backbone: WeightsHash,
        feature_shape: [i64; 3],
    ) -> Self {
        let (kernels, bottleneck, hidden, dropout) = (8, 256, 256, 0.1);
        Self { classes, cameras, backbone, feature_shape, kernels, bottleneck, hidden, dropout }
    }

    /// Values of one camera's features.
    pub fn feature_dim(&self) -> usize {
        self.feature_shape.iter().product::<i64>() as usize
    }

    /// Bounds every size, so that nothing absurd is allocated for data from outside.
    pub fn check(&self) -> Result<(), ClassifierError> {
        let within = |what, size: i64, max: i64| {
            if (1..=max).contains(&size) { Ok(()) } else { Err(ClassifierError::Spec(what)) }
        };
        self.classes.check()?;
        within("number of cameras", self.cameras.len() as i64, CAMERAS_MAX as i64)?;
        self.feature_shape.iter().try_for_each(|size| within("feature shape", *size, 4096))?;
        within("feature dimension", self.feature_shape.iter().product(), 1 << 20)?;
        within("kernels", self.kernels, 256)?;
        within("bottleneck", self.bottleneck, WIDTH_MAX)?;
        within("hidden width", self.hidden, WIDTH_MAX)?;
        if (0.0..1.0).contains(&self.dropout) {
            Ok(())
        } else {
            Err(ClassifierError::Spec("dropout"))
        }
    }

    /// Where the classifier's cameras stand among those of a task.
    pub fn places(&self, task_cameras: &[String]) -> Result<Vec<usize>, ClassifierError> {
        let place = |camera: &String| {
            let found = task_cameras.iter().position(|other| other == camera);
            found.ok_or_else(|| ClassifierError::Camera { camera: camera.clone() })
        };
        self.cameras.iter().map(place).collect()
    }

    /// The network's input for some frames, one tensor [frames, features] of f16 per camera. Each
    /// frame has features for all cameras of the task, of which `places` names ours.
    ///
    /// Training and serving both come through here.
    pub fn inputs(
        &self,
        frames: &[&[Features]],
        places: &[usize],
    ) -> Result<Vec<Tensor>, ClassifierError> {
        let camera = |(name, &place): (&String, &usize)| {
            let mut values = Vec::with_capacity(frames.len() * self.feature_dim());
            for features in frames {
                values.extend_from_slice(self.features_of(name, features, place)?);
            }
            let tensor = Tensor::from_slice(bytemuck::cast_slice::<u16, half::f16>(&values));
            Ok(tensor.view([frames.len() as i64, self.feature_dim() as i64]))
        };
        self.cameras.iter().zip(places).map(camera).collect()
    }

    fn features_of<'a>(
        &self,
        name: &str,
        features: &'a [Features],
        place: usize,
    ) -> Result<&'a [u16], ClassifierError> {
        let (needed, got) = (place + 1, features.len());
        let found = features.get(place).ok_or(ClassifierError::Features { needed, got })?;
        let camera = || name.to_owned();
        if found.backbone != self.backbone {
            let (expected, got) = (self.backbone, found.backbone);
            return Err(ClassifierError::Backbone { camera: camera(), expected, got });
        }
        let (expected, got) = (self.feature_dim(), found.values.len());
        if got != expected {
            return Err(ClassifierError::FeatureDim { camera: camera(), expected, got });
        }
        Ok(&found.values)
    }
}

/// Multipliers of what training drops: 0 where something is dropped, 1 / (1 - rate) elsewhere.
#[derive(Debug)]
pub struct ClassifierDropout {
    /// One [batch, channels * kernels] per camera.
    pub embedded: Vec<Tensor>,
    /// [batch, hidden]
    pub hidden: Tensor,
}

/// Embeddings side by side, then Dense, dropout, LayerNorm, ReLU, Dense.
#[derive(Debug)]
pub struct RewardClassifier {
    cameras: Vec<CameraEmbedding>,
    hidden: Dense,
    scale: ParamId,
    shift: ParamId,
    width: i64,
    output: Dense,
}

impl RewardClassifier {
    pub fn new(layout: &mut Layout, spec: &ClassifierSpec) -> Self {
        let [channels, height, width] = spec.feature_shape;
        let cameras: Vec<_> = spec
            .cameras
            .iter()
            .map(|camera| {
                let size = [channels, height * width, spec.kernels];
                CameraEmbedding::new(layout, &format!("head/{camera}"), size, spec.bottleneck)
            })
            .collect();
        let (hidden, outputs) = (spec.hidden, spec.classes.outputs() as i64);
        let lecun = |fan_in| Init::LecunNormal { fan_in };
        let embedded = spec.bottleneck * cameras.len() as i64;
        Self {
            cameras,
            hidden: Dense::new(layout, "classifier/hidden", [embedded, hidden], lecun(embedded)),
            scale: layout.add("classifier/norm_scale", &[hidden], Init::Constant(1.0)),
            shift: layout.add("classifier/norm_bias", &[hidden], Init::Constant(0.0)),
            width: hidden,
            output: Dense::new(layout, "classifier/output", [hidden, outputs], lecun(hidden)),
        }
    }

    /// Logits [batch, outputs] of one tensor [batch, features] per camera, f16 or f32.
    pub fn forward(
        &self,
        params: Views<'_>,
        inputs: &[Tensor],
        dropout: Option<&ClassifierDropout>,
    ) -> Tensor {
        let embedded: Vec<Tensor> = self
            .cameras
            .iter()
            .zip(inputs)
            .enumerate()
            .map(|(at, (camera, x))| camera.forward(params, x, dropout.map(|d| &d.embedded[at])))
            .collect();
        let hidden = self.hidden.forward(params, &Tensor::cat(&embedded, 1));
        let hidden = match dropout {
            Some(dropout) => hidden * &dropout.hidden,
            None => hidden,
        };
        let (scale, shift) = (Some(&params[self.scale]), Some(&params[self.shift]));
        let hidden = hidden.layer_norm(self.width, scale, shift, LAYER_NORM_EPS, false).relu();
        self.output.forward(params, &hidden)
    }
}

#[cfg(test)]
mod tests;

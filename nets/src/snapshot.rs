//! What the learner publishes: head, policy and grasp critic, without trunk and the other critics.
//!
//! A safetensors file in memory: parameters by name, projections as `projection/<camera>/...`, the
//! architecture as JSON in the metadata. Everything is checked before anything is believed.

use std::{collections::HashMap, sync::Arc};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use tch::Tensor;
use thiserror::Error;
use wire::{
    ids::{LearnerStep, PolicyVersion},
    message::PolicySnapshot,
    observation::WeightsHash,
};

use crate::{
    agent::Agent,
    architecture::{Architecture, ArchitectureError, HeadSpec},
    params::ParamSet,
    projection::{Projection, ProjectionError},
};

const FORMAT: &str = "reins-policy-1";

#[derive(Debug, Error)]
pub enum SnapshotError {
    #[error("a policy snapshot is no readable safetensors file")]
    Container(#[from] safetensors::SafeTensorError),
    #[error("a policy snapshot says it is of format {0:?}, this program reads {FORMAT:?}")]
    Format(String),
    #[error("a policy snapshot's description of the architecture cannot be read")]
    Description(#[from] serde_json::Error),
    #[error("a policy snapshot describes an impossible network")]
    Architecture(#[from] ArchitectureError),
    #[error("a policy snapshot cannot be used")]
    Projection(#[from] ProjectionError),
    #[error("a policy snapshot lacks {0}")]
    Missing(String),
    #[error("a policy snapshot holds {0}, which its architecture does not know")]
    Surplus(String),
    #[error("a policy snapshot's {name} is {kind:?} {got:?}, not F32 {expected:?}")]
    Shape { name: String, kind: Dtype, got: Vec<usize>, expected: Vec<i64> },
    #[error("a policy snapshot's {0} holds a value that is not finite")]
    NotFinite(String),
}

/// Where the parameters come from, as the snapshot tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provenance {
    pub version: PolicyVersion,
    pub learner_step: LearnerStep,
    /// The backbone whose features the parameters were trained on.
    pub backbone: WeightsHash,
}

/// Parameters of what acts, for the actors.
pub fn snapshot(
    agent: &Agent,
    params: &ParamSet,
    provenance: Provenance,
) -> Result<PolicySnapshot, SnapshotError> {
    let spans = &agent.spans;
    let span = spans.grasp.join(&spans.head).join(&spans.policy);
    let named = params.named(&span).map(|(name, value)| (name.to_owned(), value.shallow_clone()));
    let cameras = agent.architecture.head.cameras();
    let constants = cameras.iter().zip(agent.head.projections()).flat_map(|(camera, p)| {
        let scale = Tensor::from_slice(&[p.scale()]);
        let [mean, components, scale_name] = projection_names(camera);
        [
            (mean, p.mean().shallow_clone()),
            (components, p.components().shallow_clone()),
            (scale_name, scale),
        ]
    });
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = named
        .chain(constants)
        .map(|(name, value)| {
            let shape = value.size().iter().map(|&size| size as usize).collect();
            (name, shape, to_le_bytes(&to_vec(&value)))
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, SnapshotError>>()?;
    // One entry: the order of several is not the same in every process.
    let architecture = serde_json::to_string(&agent.architecture)?;
    let metadata = HashMap::from([(FORMAT.to_owned(), architecture)]);
    let parameters: Arc<[u8]> = safetensors::serialize(views, Some(metadata))?.into();
    let Provenance { version, learner_step, backbone } = provenance;
    Ok(PolicySnapshot { version, learner_step, backbone, parameters })
}

/// A snapshot that has passed all checks.
pub(crate) struct Checked {
    pub architecture: Architecture,
    pub projections: Vec<Projection>,
    /// By name, on the CPU.
    pub values: HashMap<String, Vec<f32>>,
}

/// Reads and checks; `expected` names the parameters that an architecture has.
pub(crate) fn read(
    bytes: &[u8],
    expected: impl FnOnce(&Architecture) -> Vec<(String, Vec<i64>)>,
) -> Result<Checked, SnapshotError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let Some(architecture) = metadata.get(FORMAT) else {
        return Err(SnapshotError::Format(metadata.into_keys().next().unwrap_or_default()));
    };
    let architecture: Architecture = serde_json::from_str(architecture)?;
    architecture.check()?;

    let file = SafeTensors::deserialize(bytes)?;
    let constants = projection_shapes(&architecture);
    let wanted: Vec<_> = expected(&architecture).into_iter().chain(constants).collect();
    let mut values = HashMap::with_capacity(wanted.len());
    for (name, shape) in &wanted {
        let view = file.tensor(name).map_err(|_| SnapshotError::Missing(name.clone()))?;
        values.insert(name.clone(), finite_f32(name, shape, &view)?);
    }
    if let Some(name) = file.names().into_iter().find(|name| !values.contains_key(*name)) {
        return Err(SnapshotError::Surplus(name.to_owned()));
    }
    let projections = take_projections(&architecture, &mut values)?;
    Ok(Checked { architecture, projections, values })
}

fn projection_names(camera: &str) -> [String; 3] {
    ["mean", "components", "scale"].map(|part| format!("projection/{camera}/{part}"))
}

fn projection_shapes(architecture: &Architecture) -> Vec<(String, Vec<i64>)> {
    let HeadSpec::Pca { cameras, feature_dim, components } = &architecture.head else {
        return Vec::new();
    };
    let of_camera = |camera: &String| {
        let shapes = [vec![*feature_dim], vec![*feature_dim, *components], vec![1]];
        projection_names(camera).into_iter().zip(shapes)
    };
    cameras.iter().flat_map(of_camera).collect()
}

fn take_projections(
    architecture: &Architecture,
    values: &mut HashMap<String, Vec<f32>>,
) -> Result<Vec<Projection>, SnapshotError> {
    let HeadSpec::Pca { cameras, feature_dim, components } = &architecture.head else {
        return Ok(Vec::new());
    };
    let projection = |camera: &String| {
        let [mean, matrix, scale] =
            projection_names(camera).map(|name| values.remove(&name).unwrap_or_default());
        let matrix = Tensor::from_slice(&matrix).view([*feature_dim, *components]);
        Ok(Projection::new(Tensor::from_slice(&mean), matrix, scale[0])?)
    };
    cameras.iter().map(projection).collect()
}

fn finite_f32(
    name: &str,
    expected: &[i64],
    view: &TensorView<'_>,
) -> Result<Vec<f32>, SnapshotError> {
    let fits = view.shape().iter().map(|&size| size as i64).eq(expected.iter().copied());
    if !fits || view.dtype() != Dtype::F32 {
        return Err(SnapshotError::Shape {
            name: name.to_owned(),
            kind: view.dtype(),
            got: view.shape().to_vec(),
            expected: expected.to_vec(),
        });
    }
    let (words, _) = view.data().as_chunks();
    let values: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
    if !values.iter().all(|x| x.is_finite()) {
        return Err(SnapshotError::NotFinite(name.to_owned()));
    }
    Ok(values)
}

/// All values of an f32 tensor, in order.
pub fn to_vec(tensor: &Tensor) -> Vec<f32> {
    let tensor = tensor.to_device(tch::Device::Cpu).contiguous();
    let mut values = vec![0.0; tensor.numel()];
    tensor.copy_data(&mut values, tensor.numel());
    values
}

fn to_le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

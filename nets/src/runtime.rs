//! The policy as an actor runs it: one observation in, one action out.
//!
//! Never trains, never touches the backbone: features come with the observation.

use std::sync::Arc;

use half::f16;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use tch::{Device, Tensor};
use thiserror::Error;
use wire::{
    action::Action,
    ids::{LearnerStep, PolicyVersion},
    message::PolicySnapshot,
    observation::{Features, Observation, WeightsHash},
};

use crate::{
    architecture::Architecture,
    grasp::{self, GraspCritic},
    head::{Head, Images, ObservationBatch},
    params::{Layout, ParamSet},
    policy::Policy,
    projection::Projection,
    snapshot::{self, Provenance, SnapshotError, to_vec},
};

#[derive(Debug, Error, PartialEq, Eq)]
pub enum ActError {
    #[error("proprioception has {got} values, the policy was trained with {expected}")]
    Proprio { expected: i64, got: usize },
    #[error(
        "features of {got} cameras came, the policy looks at {expected}: run the backbone first"
    )]
    Cameras { expected: usize, got: usize },
    #[error("camera {camera} has {got} feature values, the policy was trained with {expected}")]
    FeatureDim { camera: String, expected: i64, got: usize },
    #[error(
        "camera {camera} has features of backbone {got:?}, the policy was trained on \
         {expected:?}: use the learner's backbone weights"
    )]
    Backbone { camera: String, expected: WeightsHash, got: WeightsHash },
    #[error("the policy gave an action that is not finite")]
    NotFinite,
}

/// A policy that can act.
#[derive(Debug)]
pub struct PolicyRuntime {
    provenance: Provenance,
    architecture: Architecture,
    acting: Acting,
    params: ParamSet,
}

impl PolicyRuntime {
    pub fn from_snapshot(snapshot: &PolicySnapshot, device: Device) -> Result<Self, SnapshotError> {
        let shapes = |architecture: &Architecture| {
            let (layout, _) = Acting::new(architecture, Vec::new());
            layout.specs().iter().map(|s| (s.name.clone(), s.shape.clone())).collect()
        };
        let mut checked = snapshot::read(&snapshot.parameters, shapes)?;
        let projections = checked.projections.iter().map(|p| p.to_device(device)).collect();
        let (layout, acting) = Acting::new(&checked.architecture, projections);
        let mut flat = vec![0.0; layout.len() as usize];
        for spec in layout.specs() {
            let values = checked.values.remove(&spec.name).expect("every parameter was read");
            let start = spec.offset as usize;
            flat[start..start + values.len()].copy_from_slice(&values);
        }
        let flat = Tensor::from_slice(&flat).to_device(device);
        Ok(Self {
            provenance: Provenance {
                version: snapshot.version,
                learner_step: snapshot.learner_step,
                backbone: snapshot.backbone,
            },
            architecture: checked.architecture,
            acting,
            params: ParamSet::new(Arc::new(layout), flat),
        })
    }

    pub fn version(&self) -> PolicyVersion {
        self.provenance.version
    }

    pub fn learner_step(&self) -> LearnerStep {
        self.provenance.learner_step
    }

    /// The backbone whose features this policy needs.
    pub fn backbone(&self) -> WeightsHash {
        self.provenance.backbone
    }

    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// With a generator an action is sampled; without, it is the mean one, tanh(mu). Of an arm with
    /// a gripper that is learned, the gripper's greedy command (-1 close, 0 stay, +1 open) comes
    /// behind the arm's continuous part.
    pub fn act(
        &self,
        observation: &Observation,
        rng: Option<&mut ChaCha8Rng>,
    ) -> Result<Action, ActError> {
        self.check(observation)?;
        let Acting { grasp, head, policy } = &self.acting;
        let (action, command) = tch::no_grad(|| {
            let params = self.params.frozen();
            let encoding = head.encode(params, params, &self.batch_of(observation), None);
            let distribution = policy.forward(params, &encoding);
            let command = grasp.as_ref().map(|g| g.best(params, &encoding).int64_value(&[0]));
            let action = match rng {
                None => distribution.mode(),
                Some(rng) => {
                    let dim = self.architecture.action_dim as usize;
                    let eps: Vec<f32> = (0..dim).map(|_| rng.sample(StandardNormal)).collect();
                    let eps = Tensor::from_slice(&eps).to_device(self.params.device());
                    (distribution.mean + distribution.std * eps).tanh()
                }
            };
            (action, command)
        });
        let action = to_vec(&action);
        let action = match command {
            None => Action::from_slice(&action),
            Some(command) => self.with_grippers(&action, command),
        };
        if action.is_finite() { Ok(action) } else { Err(ActError::NotFinite) }
    }

    fn with_grippers(&self, continuous: &[f32], command: i64) -> Action {
        let grippers = self.architecture.grippers;
        let per_arm = continuous.len() / usize::from(grippers);
        let arms = continuous.chunks(per_arm).zip(grasp::command_parts(command, grippers));
        let values: Vec<f32> =
            arms.flat_map(|(arm, gripper)| arm.iter().copied().chain([gripper])).collect();
        Action::from_slice(&values)
    }

    fn check(&self, observation: &Observation) -> Result<(), ActError> {
        let proprio = observation.proprio.len();
        if proprio as i64 != self.architecture.proprio_dim {
            let expected = self.architecture.proprio_dim;
            return Err(ActError::Proprio { expected, got: proprio });
        }
        let cameras = self.architecture.head.cameras();
        if cameras.is_empty() {
            return Ok(());
        }
        if observation.features.len() != cameras.len() {
            let (expected, got) = (cameras.len(), observation.features.len());
            return Err(ActError::Cameras { expected, got });
        }
        let mut pairs = cameras.iter().zip(&observation.features);
        pairs.try_for_each(|(camera, features)| self.check_features(camera, features))
    }

    fn check_features(&self, camera: &str, features: &Features) -> Result<(), ActError> {
        let camera = || camera.to_owned();
        let expected = self.provenance.backbone;
        if features.backbone != expected {
            return Err(ActError::Backbone { camera: camera(), expected, got: features.backbone });
        }
        let (expected, got) = (self.architecture.head.feature_dim(), features.values.len());
        if got as i64 != expected {
            return Err(ActError::FeatureDim { camera: camera(), expected, got });
        }
        Ok(())
    }

    fn batch_of(&self, observation: &Observation) -> ObservationBatch {
        let device = self.params.device();
        let row = |tensor: Tensor| tensor.to_device(device).unsqueeze(0);
        let cameras = self.architecture.head.cameras().len();
        let features = observation.features.iter().take(cameras);
        let raw: Vec<Tensor> = features
            .map(|f| row(Tensor::from_slice(bytemuck::cast_slice::<u16, f16>(&f.values))))
            .collect();
        ObservationBatch {
            proprio: row(Tensor::from_slice(&observation.proprio)),
            images: if raw.is_empty() { Images::None } else { Images::Raw(raw) },
        }
    }
}

/// Head and policy alone, under the same names as in the whole agent.
/// The modules that a snapshot holds, in its order.
#[derive(Debug)]
struct Acting {
    grasp: Option<GraspCritic>,
    head: Head,
    policy: Policy,
}

impl Acting {
    fn new(architecture: &Architecture, projections: Vec<Projection>) -> (Layout, Self) {
        let mut layout = Layout::default();
        let (width, hidden) = (Head::width(architecture), &architecture.hidden);
        let grippers = architecture.grippers;
        let grasp = (grippers > 0).then(|| GraspCritic::new(&mut layout, width, hidden, grippers));
        let head = Head::new(&mut layout, architecture, projections);
        let size = [width, architecture.action_dim];
        let policy = Policy::new(&mut layout, size, hidden, architecture.std_rule);
        (layout, Self { grasp, head, policy })
    }
}

//! One gradient step after another: samples a batch, makes tensors of it, updates.

use nets::{
    backbone::Backbone,
    grasp,
    head::{Images, ObservationBatch},
};
use replay::{ReplayStore, View, symmetric_sample};
use tch::Tensor;
use wire::{Clock, Timestamp};

use super::{BACKBONE_ROWS, TrainerConfig, TrainerError};
use crate::{
    batch::{Batch, GraspColumns, bootstrap_mask, choose_actions, split_actions},
    feature_cache::FeatureCache,
    imitation::{demo_batch, imitate},
    ingest::Ingest,
    tally::Tally,
    train_state::TrainState,
    update::{Algorithm, Plan, UpdateInfo, update},
};

#[derive(Debug)]
pub struct Training {
    pub state: TrainState,
    cache: FeatureCache,
    sampled: replay::Batch,
    /// Update figures since the last line of metrics.
    pub tally: Tally,
}

impl Training {
    pub fn new(state: TrainState, cache: FeatureCache) -> Self {
        Self { state, cache, sampled: replay::Batch::default(), tally: Tally::default() }
    }

    pub fn update_once(
        &mut self,
        config: &TrainerConfig,
        ingest: &Ingest,
        backbone: Option<&Backbone>,
        clock: &dyn Clock,
    ) -> Result<(), TrainerError> {
        let started = clock.now();
        let (info, sampled) = match config.update.algorithm {
            Algorithm::Rlpd => self.reinforce(config, ingest, backbone, clock)?,
            Algorithm::HgDagger => self.imitate(config, ingest, backbone, clock)?,
        };
        let done = clock.now();
        self.tally.add(
            &info,
            sampled.since(started).as_secs_f64(),
            done.since(sampled).as_secs_f64(),
        );
        Ok(())
    }

    /// One update from both views; also says when the batch was there.
    fn reinforce(
        &mut self,
        config: &TrainerConfig,
        ingest: &Ingest,
        backbone: Option<&Backbone>,
        clock: &dyn Clock,
    ) -> Result<(UpdateInfo, Timestamp), TrainerError> {
        let step = self.state.learner_step().0 + 1;
        let full = step.is_multiple_of(config.critic_to_actor_ratio);
        let plan = if full { Plan::Full } else { Plan::CriticOnly };
        let batch = self.sample(config, ingest, backbone)?;
        let sampled = clock.now();
        let noise = self.state.draw_noise(batch.len(), plan);
        Ok((update(&mut self.state, &batch, plan, &noise)?, sampled))
    }

    /// One update from what a person did: all of the batch is from the demo view.
    fn imitate(
        &mut self,
        config: &TrainerConfig,
        ingest: &Ingest,
        backbone: Option<&Backbone>,
        clock: &dyn Clock,
    ) -> Result<(UpdateInfo, Timestamp), TrainerError> {
        let mut inner = ingest.lock();
        self.keep_up(&mut inner.store, backbone)?;
        let wanted = (config.batch, config.device, self.state.agent.architecture.grippers);
        let (room, rng) = (&mut self.sampled, &mut self.state.rng);
        let (observation, shown) = demo_batch(&inner.store, &self.cache, room, wanted, rng)?;
        drop(inner);
        let sampled = clock.now();
        Ok((imitate(&mut self.state, &observation, &shown)?, sampled))
    }

    /// Features for what has arrived since the last batch.
    fn keep_up(
        &mut self,
        store: &mut ReplayStore,
        backbone: Option<&Backbone>,
    ) -> Result<(), TrainerError> {
        if let Some(backbone) = backbone {
            while self.cache.compute_lacking(store, backbone, BACKBONE_ROWS)? > 0 {}
        }
        self.cache.update(store)?;
        Ok(())
    }

    /// A batch as tensors, the demo half first.
    fn sample(
        &mut self,
        config: &TrainerConfig,
        ingest: &Ingest,
        backbone: Option<&Backbone>,
    ) -> Result<Batch, TrainerError> {
        let mut inner = ingest.lock();
        self.keep_up(&mut inner.store, backbone)?;
        let rng = &mut self.state.rng;
        let store = &inner.store;
        let ids = symmetric_sample(store, config.batch, rng);
        self.sampled.gather(store, &ids);
        choose_actions(&mut self.sampled, config.actions, rng);
        let n = ids.len();
        let variants = self.cache.draw_variants(n, rng);
        let next_variants = self.cache.draw_variants(n, rng);
        let images = self.cache.images(store, &self.sampled.observations, &variants)?;
        let next_images =
            self.cache.images(store, &self.sampled.next_observations, &next_variants)?;
        let demo_rows = match (store.view(View::Demo).len(), store.view(View::Online).len()) {
            (0, _) => 0,
            (_, 0) => n,
            _ => n / 2,
        };
        drop(inner);
        Ok(self.tensors(config, images, next_images, demo_rows))
    }

    fn tensors(
        &self,
        config: &TrainerConfig,
        images: Images,
        next_images: Images,
        demo_rows: usize,
    ) -> Batch {
        let sampled = &self.sampled;
        let n = sampled.len() as i64;
        let tensor = |values: &[f32]| Tensor::from_slice(values).to_device(config.device);
        let matrix = |values: &[f32]| tensor(values).view([n, -1]);
        let grippers = config.architecture.grippers;
        let parts = split_actions(sampled, grippers.into(), config.gripper_penalty);
        let grasp = (grippers > 0).then(|| GraspColumns {
            command: grasp::command_index(&matrix(&parts.grippers)),
            penalty: tensor(&parts.penalty),
        });
        let rule = config.update.episode_end_rule();
        let ends = sampled.bootstrap_mask.iter().zip(&sampled.truncated);
        let masks: Vec<f32> =
            ends.map(|(mask, truncated)| bootstrap_mask(*mask == 0.0, *truncated, rule)).collect();
        Batch {
            observation: ObservationBatch { proprio: matrix(&sampled.proprio), images },
            action: matrix(&parts.motion),
            reward: tensor(&sampled.reward),
            bootstrap_mask: tensor(&masks),
            next_observation: ObservationBatch {
                proprio: matrix(&sampled.next_proprio),
                images: next_images,
            },
            grasp,
            demo_rows: demo_rows as i64,
        }
    }
}

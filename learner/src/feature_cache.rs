//! Features of every stored observation, ready for a batch.
//!
//! The frozen backbone sees a frame once: its features come with the record, or are computed here
//! when the record's are of another backbone. A projection, where the head has one, is applied
//! once per observation too, so a gradient step costs only the trainable layers.

use half::f16;
use nets::{
    augment::{SHIFT_MAX, Shift},
    backbone::{Backbone, BackboneError},
    head::Images,
    pca::{Pca, PcaError},
    projection::{Projection, ProjectionError},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use replay::{FeatureError, FeatureRef, ObservationId, ReplayStore, View};
use tch::{Device, Kind, Tensor};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum FeatureCacheError {
    #[error("features could not be gathered")]
    Store(#[from] FeatureError),
    #[error("features could not be computed")]
    Backbone(#[from] BackboneError),
    #[error("the projection could not be fitted")]
    Fit(#[from] PcaError),
    #[error(transparent)]
    Projection(#[from] ProjectionError),
}

/// What the head makes of the backbone's features before any parameter is trained.
#[derive(Debug)]
enum Kept {
    /// Nothing: batches hold the raw features.
    Raw,
    /// The projections of all cameras side by side, `[observations * variants, width]`.
    Projected { projections: Vec<Projection>, width: usize, rows: Vec<f32>, done: usize },
}

#[derive(Debug)]
pub struct FeatureCache {
    kept: Kept,
    cameras: usize,
    /// Per frame, as in the store.
    variants: usize,
    shifts: FrameShifts,
    device: Device,
}

/// How shifted variants of a frame are drawn: by the frame's place, not in the order in which frames
/// come, so that a learner that resumes computes the same ones.
#[derive(Clone, Copy, Debug)]
pub struct FrameShifts {
    /// In each direction; more than the network's padding counts as that.
    pub most_px: u8,
    pub seed: u64,
}

impl FeatureCache {
    /// Batches of projected features, or of raw ones, for a head that learns from them, where there
    /// are no projections.
    pub fn new(
        store: &ReplayStore,
        projections: &[Projection],
        shifts: FrameShifts,
        device: Device,
    ) -> Self {
        let kept = if projections.is_empty() {
            Kept::Raw
        } else {
            let projections: Vec<_> = projections.iter().map(|p| p.to_device(device)).collect();
            let width = projections.iter().map(|p| p.size()[1] as usize).sum();
            Kept::Projected { projections, width, rows: Vec::new(), done: 0 }
        };
        let (cameras, variants) =
            store.features().map_or((0, 1), |f| (f.spec().dims.len(), f.spec().variants));
        let shifts = FrameShifts { most_px: shifts.most_px.min(SHIFT_MAX / 2), ..shifts };
        Self { kept, cameras, variants, shifts, device }
    }

    /// Brings the cache up to the store: computes what is lacking, projects what is new.
    pub fn update(&mut self, store: &ReplayStore) -> Result<(), FeatureCacheError> {
        let Kept::Projected { projections, width, rows, done } = &mut self.kept else {
            return Ok(());
        };
        let Some(features) = store.features() else { return Ok(()) };
        let total = store.observations() as usize * self.variants;
        while *done < total {
            // One observation at a time: a product of another height may round differently, and a
            // learner that resumes projects many observations where it projected one before.
            let chunk = *done..*done + self.variants;
            let start = rows.len();
            rows.resize(start + chunk.len() * *width, 0.0);
            let mut column = 0;
            for (camera, projection) in projections.iter().enumerate() {
                let mut raw = Vec::new();
                let ids = chunk.clone().map(|row| (id_of(row, self.variants), row % self.variants));
                features.gather(camera, ids, &mut raw)?;
                let raw = Tensor::from_slice(&raw).view([chunk.len() as i64, -1]);
                let projected =
                    nets::snapshot::to_vec(&projection.apply(&raw.to_device(self.device)));
                let k = projection.size()[1] as usize;
                for (row, values) in projected.chunks_exact(k).enumerate() {
                    rows[start + row * *width + column..][..k].copy_from_slice(values);
                }
                column += k;
            }
            *done = chunk.end;
        }
        Ok(())
    }

    /// Which variant of each sampled frame is looked at: the frame as it is where there are no
    /// others, else one of the shifted ones (DrQ: one shift for all cameras of a sample).
    pub fn draw_variants(&self, n: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
        if self.variants == 1 {
            return vec![0; n];
        }
        (0..n).map(|_| rng.random_range(1..self.variants)).collect()
    }

    /// What the head gets for these observations.
    pub fn images(
        &self,
        store: &ReplayStore,
        ids: &[ObservationId],
        variants: &[usize],
    ) -> Result<Images, FeatureCacheError> {
        let batch = ids.len() as i64;
        match &self.kept {
            Kept::Projected { width, rows, .. } => {
                let mut values = Vec::with_capacity(ids.len() * width);
                for (id, variant) in ids.iter().zip(variants) {
                    let row = id.0 as usize * self.variants + variant;
                    values.extend_from_slice(&rows[row * width..][..*width]);
                }
                let tensor = Tensor::from_slice(&values).view([batch, *width as i64]);
                Ok(Images::Projected(tensor.to_device(self.device)))
            }
            Kept::Raw if self.cameras == 0 => Ok(Images::None),
            Kept::Raw => {
                let Some(features) = store.features() else { return Ok(Images::None) };
                let camera = |camera| {
                    let mut raw = Vec::new();
                    let rows = ids.iter().copied().zip(variants.iter().copied());
                    features.gather(camera, rows, &mut raw)?;
                    Ok(Tensor::from_slice(&raw).view([batch, -1]).to_device(self.device))
                };
                let tensors: Result<Vec<_>, FeatureCacheError> =
                    (0..self.cameras).map(camera).collect();
                Ok(Images::Raw(tensors?))
            }
        }
    }

    /// Runs the backbone on frames whose features nobody has computed, at most `at_most` rows.
    /// Returns how many it did.
    pub fn compute_lacking(
        &self,
        store: &mut ReplayStore,
        backbone: &Backbone,
        at_most: usize,
    ) -> Result<usize, FeatureCacheError> {
        let lacking: Vec<FeatureRef> = match store.features() {
            Some(features) => features.lacking().take(at_most).collect(),
            None => return Ok(0),
        };
        for row in &lacking {
            let frame = store.frame(row.observation, row.camera);
            let computed = match row.variant {
                0 => backbone.encode(&[&frame])?,
                _ => backbone.encode_shifted(&frame, &[self.shift(row)])?,
            };
            let values: Vec<f16> = computed[0].values.iter().map(|x| f16::from_bits(*x)).collect();
            if let Some(features) = store.features_mut() {
                features.set(*row, backbone.hash(), &values)?;
            }
        }
        Ok(lacking.len())
    }

    /// Offsets count from the padded frame's corner: the middle one moves nothing.
    fn shift(&self, row: &FeatureRef) -> Shift {
        let place = row.observation.0 as usize * self.cameras + row.camera;
        let mut rng = ChaCha8Rng::seed_from_u64(self.shifts.seed);
        rng.set_stream((place * self.variants + row.variant) as u64);
        let middle = SHIFT_MAX / 2;
        let range = middle - self.shifts.most_px..=middle + self.shifts.most_px;
        Shift { row: rng.random_range(range.clone()), col: rng.random_range(range) }
    }
}

fn id_of(row: usize, variants: usize) -> ObservationId {
    ObservationId((row / variants) as u32)
}

/// One projection per camera, fitted on what the person showed; where that is too little to tell as many
/// components, on everything that was seen.
pub fn fit_projections(
    store: &ReplayStore,
    components: i64,
    device: Device,
) -> Result<Vec<Projection>, FeatureCacheError> {
    let Some(features) = store.features() else { return Ok(Vec::new()) };
    let shown = observations(store, &[View::Demo]);
    let ids = match (shown.len() as i64) < components {
        true => observations(store, &[View::Demo, View::Online]),
        false => shown,
    };
    (0..features.spec().dims.len())
        .map(|camera| {
            let mut raw = Vec::new();
            features.gather(camera, ids.iter().map(|id| (*id, 0)), &mut raw)?;
            let raw = Tensor::from_slice(&raw).view([ids.len() as i64, -1]);
            let pca = Pca::fit(&raw.to_device(device).to_kind(Kind::Float), components)?;
            Ok(Projection::new(pca.mean, pca.components, pca.scale)?)
        })
        .collect()
}

/// Everything that was seen in the steps of these views, each observation once.
fn observations(store: &ReplayStore, views: &[View]) -> Vec<ObservationId> {
    let steps = views.iter().flat_map(|view| store.view(*view)).map(|id| store.transition(*id));
    let mut ids: Vec<_> = steps.flat_map(|s| [s.observation, s.next_observation]).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

//! The frozen backbone's features of each stored frame, as f16: per camera one array
//! `[observations, variants, dim]` that grows at its end, so that rows of a batch are copied out
//! of one place.
//!
//! Holds the features of one backbone only, named by its hash; others are never mixed in.

use std::collections::BTreeSet;

use half::{f16, slice::HalfBitsSliceExt};
use thiserror::Error;
use wire::WeightsHash;

use crate::store::ObservationId;

/// What features to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureSpec {
    pub backbone: WeightsHash,
    /// Length of one frame's features, per camera.
    pub dims: Vec<usize>,
    /// How many per frame: variant 0 is of the frame as it is and comes with the record, the
    /// others are of shifted frames and are the learner's to compute. At least 1.
    pub variants: usize,
}

/// One row of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeatureRef {
    pub observation: ObservationId,
    pub camera: usize,
    pub variant: usize,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FeatureError {
    #[error("the store keeps features of backbone {ours:?}; these are of {theirs:?}")]
    Backbone { ours: WeightsHash, theirs: WeightsHash },
    #[error("features of camera {camera} have {expected} values, {got} came")]
    Dim { camera: usize, expected: usize, got: usize },
    #[error("there is no such row: {0:?}")]
    NoSuchRow(FeatureRef),
    #[error("the features of {0:?} have not been computed yet: set them before sampling")]
    Missing(FeatureRef),
}

#[derive(Debug)]
pub struct FeatureStore {
    spec: FeatureSpec,
    cameras: Vec<CameraFeatures>,
    observations: usize,
    lacking: BTreeSet<FeatureRef>,
}

#[derive(Debug)]
struct CameraFeatures {
    dim: usize,
    values: Vec<f16>,
    present: Vec<bool>,
}

impl FeatureStore {
    pub fn new(spec: FeatureSpec) -> Self {
        let cameras = spec
            .dims
            .iter()
            .map(|&dim| CameraFeatures { dim, values: Vec::new(), present: Vec::new() })
            .collect();
        Self { spec, cameras, observations: 0, lacking: BTreeSet::new() }
    }

    pub fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    /// Adds the rows of one more observation. Features of another backbone are left out, so that
    /// the rows are lacking; those of ours have the right length, the caller has checked it.
    pub(crate) fn push(&mut self, features: &[wire::Features]) {
        let observation = ObservationId(self.observations as u32);
        self.observations += 1;
        for (camera, kept) in self.cameras.iter_mut().enumerate() {
            let ours = features.get(camera).filter(|f| f.backbone == self.spec.backbone);
            let start = kept.values.len();
            kept.values.resize(start + kept.dim * self.spec.variants, f16::ZERO);
            if let Some(features) = ours {
                kept.values[start..start + kept.dim]
                    .copy_from_slice(features.values.reinterpret_cast());
            }
            for variant in 0..self.spec.variants {
                let present = variant == 0 && ours.is_some();
                kept.present.push(present);
                if !present {
                    self.lacking.insert(FeatureRef { observation, camera, variant });
                }
            }
        }
    }

    /// Rows that nobody has computed yet, oldest first.
    pub fn lacking(&self) -> impl ExactSizeIterator<Item = FeatureRef> {
        self.lacking.iter().copied()
    }

    /// Sets one row, of length `dims[camera]`.
    pub fn set(
        &mut self,
        row: FeatureRef,
        backbone: WeightsHash,
        values: &[f16],
    ) -> Result<(), FeatureError> {
        if backbone != self.spec.backbone {
            return Err(FeatureError::Backbone { ours: self.spec.backbone, theirs: backbone });
        }
        let index = self.index(row)?;
        let kept = &mut self.cameras[row.camera];
        if values.len() != kept.dim {
            let (camera, expected, got) = (row.camera, kept.dim, values.len());
            return Err(FeatureError::Dim { camera, expected, got });
        }
        kept.values[index * kept.dim..][..kept.dim].copy_from_slice(values);
        kept.present[index] = true;
        self.lacking.remove(&row);
        Ok(())
    }

    /// One row, of length `dims[camera]`.
    pub fn get(&self, row: FeatureRef) -> Result<&[f16], FeatureError> {
        let index = self.index(row)?;
        let kept = &self.cameras[row.camera];
        if !kept.present[index] {
            return Err(FeatureError::Missing(row));
        }
        Ok(&kept.values[index * kept.dim..][..kept.dim])
    }

    /// Copies rows of one camera into `out`, `[rows, dims[camera]]`. Each row names its variant.
    pub fn gather(
        &self,
        camera: usize,
        rows: impl IntoIterator<Item = (ObservationId, usize)>,
        out: &mut Vec<f16>,
    ) -> Result<(), FeatureError> {
        out.clear();
        for (observation, variant) in rows {
            out.extend_from_slice(self.get(FeatureRef { observation, camera, variant })?);
        }
        Ok(())
    }

    /// Memory that the features take.
    pub fn bytes(&self) -> usize {
        self.cameras.iter().map(|c| size_of_val(&c.values[..])).sum()
    }

    fn index(&self, row: FeatureRef) -> Result<usize, FeatureError> {
        let observation = row.observation.0 as usize;
        let there = observation < self.observations
            && row.camera < self.cameras.len()
            && row.variant < self.spec.variants;
        there
            .then_some(observation * self.spec.variants + row.variant)
            .ok_or(FeatureError::NoSuchRow(row))
    }
}

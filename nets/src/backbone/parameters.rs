//! The frozen parameters of a backbone: which there must be, where they come from, and their hash.

use std::{collections::BTreeMap, path::Path};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use tch::Tensor;

use super::BackboneError;
use crate::weights::{Array, Arrays};

/// What a parameter is before anything was learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform with variance gain / fan_in (He et al. 2015).
    Kernel {
        gain: f64,
        fan_in: usize,
    },
    Constant(f32),
}

/// A parameter that an architecture needs, named and shaped as in its weight file.
#[derive(Clone, Debug, PartialEq)]
pub struct Needed {
    pub name: String,
    pub shape: Vec<usize>,
    pub init: Init,
}

impl Needed {
    pub fn kernel(name: String, shape: &[usize], gain: f64, fan_in: usize) -> Self {
        Self { name, shape: shape.to_vec(), init: Init::Kernel { gain, fan_in } }
    }

    pub fn constant(name: String, channels: usize, value: f32) -> Self {
        Self { name, shape: vec![channels], init: Init::Constant(value) }
    }
}

/// Parameters by name, exactly those that were asked for.
#[derive(Debug)]
pub struct Parameters(BTreeMap<String, Array>);

impl Parameters {
    /// Takes what is needed out of a weight file; the rest of the file is not looked at.
    pub fn from_file(
        needed: &[Needed],
        file: &Path,
        mut arrays: Arrays,
    ) -> Result<Self, BackboneError> {
        let mut found = BTreeMap::new();
        for Needed { name, shape, .. } in needed {
            let fault = match arrays.remove(name) {
                Some(array)
                    if array.shape == *shape && array.values.iter().all(|x| x.is_finite()) =>
                {
                    found.insert(name.clone(), array);
                    continue;
                }
                Some(array) if array.shape == *shape => {
                    format!("{name} holds a value that is not finite")
                }
                Some(array) => format!("{name} has the shape {:?}, not {shape:?}", array.shape),
                None => format!("{name} is missing"),
            };
            return Err(BackboneError::OtherNetwork { path: file.to_owned(), fault });
        }
        Ok(Self(found))
    }

    /// Draws every parameter, in the order given; the same seed gives the same bytes everywhere.
    pub fn random(needed: &[Needed], seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let draw = |Needed { name, shape, init }: &Needed| {
            let len = shape.iter().product();
            let values = match *init {
                Init::Constant(value) => vec![value; len],
                Init::Kernel { gain, fan_in } => {
                    let bound = (3.0 * gain / fan_in as f64).sqrt() as f32;
                    (0..len).map(|_| rng.random_range(-bound..bound)).collect()
                }
            };
            (name.clone(), Array { shape: shape.clone(), values })
        };
        Self(needed.iter().map(draw).collect())
    }

    /// f32 on the CPU, shaped as in the weight file.
    pub fn tensor(&self, name: &str) -> Tensor {
        let array =
            self.0.get(name).expect("an architecture asks only for what it listed as needed");
        let shape: Vec<_> = array.shape.iter().map(|&dim| dim as i64).collect();
        Tensor::from_slice(&array.values).view(shape.as_slice())
    }

    /// Adds names, shapes and values to a hash.
    pub fn digest(&self, hash: &mut Sha256) {
        for (name, array) in &self.0 {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name);
            hash.update((array.shape.len() as u64).to_le_bytes());
            array.shape.iter().for_each(|&dim| hash.update((dim as u64).to_le_bytes()));
            let bytes: Vec<u8> = array.values.iter().flat_map(|x| x.to_le_bytes()).collect();
            hash.update(bytes);
        }
    }
}

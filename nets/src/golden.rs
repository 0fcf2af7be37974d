//! Reference numbers of HIL-SERL for tests: safetensors files in `tests/golden`, and the hash rule
//! that makes large parameters without a file.

use std::{collections::HashMap, path::Path};

use tch::Tensor;

mod edges;
mod encoder;
mod hash_rule;

pub use hash_rule::hash_uniform;

pub struct Golden(HashMap<String, Tensor>);

impl Golden {
    pub fn load(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let tensors = Tensor::read_safetensors(folder.join(format!("{name}.safetensors")));
        Self(tensors.unwrap().into_iter().collect())
    }

    pub fn tensor(&self, name: &str) -> Tensor {
        self.0.get(name).unwrap_or_else(|| panic!("no {name} in the file")).shallow_clone()
    }

    /// What lies below `prefix`, by the rest of its name.
    pub fn below(&self, prefix: &str) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().filter_map(move |(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)))
    }
}

/// Fails unless |got - expected| <= atol + rtol * |expected| everywhere.
pub fn assert_close(got: &Tensor, expected: &Tensor, rtol: f64, atol: f64, what: &str) {
    assert_eq!(got.size(), expected.size(), "{what}");
    let error = (got - expected).abs();
    let excess = (&error - (expected.abs() * rtol + atol)).max().double_value(&[]);
    assert!(excess <= 0.0, "{what}: off by up to {:e}", error.max().double_value(&[]));
}

#[test]
fn the_hash_rule_gives_its_published_values() {
    assert_eq!(hash_uniform("abc", 3, -1.0, 1.0), [-0.672_754_76, -0.426_031_95, -0.981_927_5]);
}

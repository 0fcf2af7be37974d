//! How stiff an arm's controller is, in the words of SERL's impedance controller.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Every parameter with its largest value; the smallest is 0. SI units; the clips of rotation are of a
/// quaternion's vector part, about half an angle.
pub const PARAMETERS: [(&str, f64); 20] = [
    ("translational_stiffness", 6000.0),
    ("translational_damping", 400.0),
    ("rotational_stiffness", 300.0),
    ("rotational_damping", 30.0),
    ("nullspace_stiffness", 100.0),
    ("joint1_nullspace_stiffness", 100.0),
    ("translational_clip_x", 0.1),
    ("translational_clip_y", 0.1),
    ("translational_clip_z", 0.1),
    ("translational_clip_neg_x", 0.1),
    ("translational_clip_neg_y", 0.1),
    ("translational_clip_neg_z", 0.1),
    ("rotational_clip_x", 0.1),
    ("rotational_clip_y", 0.1),
    ("rotational_clip_z", 0.1),
    ("rotational_clip_neg_x", 0.1),
    ("rotational_clip_neg_y", 0.1),
    ("rotational_clip_neg_z", 0.1),
    ("translational_Ki", 100.0),
    ("rotational_Ki", 100.0),
];

/// Some of the parameters, each in its range. What is not named stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Compliance(BTreeMap<String, f64>);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ComplianceError {
    #[error("{0} is no parameter of the impedance controller")]
    Unknown(String),
    #[error("{0} is not a number")]
    NotFinite(String),
}

impl Compliance {
    /// What is out of range is brought into it, as the controller itself does.
    pub fn new(values: impl IntoIterator<Item = (String, f64)>) -> Result<Self, ComplianceError> {
        let checked = values.into_iter().map(|(name, value)| {
            let known = PARAMETERS.iter().find(|(known, _)| *known == name);
            let Some((_, max)) = known else { return Err(ComplianceError::Unknown(name)) };
            if !value.is_finite() {
                return Err(ComplianceError::NotFinite(name));
            }
            Ok((name, value.clamp(0.0, *max)))
        });
        checked.collect::<Result<_, _>>().map(Self)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, value: f64) -> Result<Compliance, ComplianceError> {
        Compliance::new([(name.to_owned(), value)])
    }

    #[test]
    fn values_are_brought_into_their_range_and_strange_ones_are_refused() {
        let clip = |value| of("rotational_clip_x", value).unwrap().get("rotational_clip_x");
        assert_eq!((clip(0.5), clip(-1.0), clip(0.03)), (Some(0.1), Some(0.0), Some(0.03)));
        assert_eq!(of("stiffness", 1.0), Err(ComplianceError::Unknown("stiffness".into())));
        of("translational_Ki", f64::NAN).unwrap_err();
    }
}

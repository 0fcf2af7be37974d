//! The names that a file of transitions may hold: those by which numpy describes arrays.

use pickle::{Label, numpy};

pub(super) type Pickle<'a> = pickle::Pickle<'a, Known>;
pub(super) type Value = pickle::Value<Known>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known(numpy::Name);

impl Label for Known {
    /// A transition takes some hundreds.
    const OPCODES_MAX: usize = 1 << 25;

    fn named(module: &str, name: &str) -> Option<Self> {
        numpy::Name::named(module, name).map(Self)
    }

    fn numpy(self) -> Option<numpy::Name> {
        Some(self.0)
    }
}

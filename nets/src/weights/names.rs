//! The names that a pickled weight file may hold.

use pickle::{Label, numpy};

pub(super) type Pickle<'a> = pickle::Pickle<'a, Global>;
pub(super) type Value = pickle::Value<Global>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    FrozenDict,
    RebuildTensor,
    RebuildParameter,
    Storage(StorageType),
    Numpy(numpy::Name),
    JaxArray,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StorageType {
    Half,
    BFloat16,
    Float,
    Double,
    Byte,
    Char,
    Short,
    Int,
    Long,
    Bool,
}

impl Label for Global {
    /// Lite0's weight file has 10 697.
    const OPCODES_MAX: usize = 1 << 20;

    fn named(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("flax.core.frozen_dict", "FrozenDict") => Self::FrozenDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch", storage) => Self::Storage(StorageType::named(storage)?),
            ("jax._src.array", "_reconstruct_array")
            | ("jax._src.device_array", "reconstruct_device_array") => Self::JaxArray,
            _ => Self::Numpy(numpy::Name::named(module, name)?),
        })
    }

    fn numpy(self) -> Option<numpy::Name> {
        match self {
            Self::Numpy(name) => Some(name),
            _ => None,
        }
    }

    fn makes_dict(self) -> bool {
        matches!(self, Self::OrderedDict | Self::FrozenDict)
    }
}

impl StorageType {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "HalfStorage" => Self::Half,
            "BFloat16Storage" => Self::BFloat16,
            "FloatStorage" => Self::Float,
            "DoubleStorage" => Self::Double,
            "ByteStorage" => Self::Byte,
            "CharStorage" => Self::Char,
            "ShortStorage" => Self::Short,
            "IntStorage" => Self::Int,
            "LongStorage" => Self::Long,
            "BoolStorage" => Self::Bool,
            _ => return None,
        })
    }
}

//! UR's Real-Time Data Exchange, protocol version 2: the packets of port 30004 to and from bytes.
//!
//! Big-endian throughout. A packet is its total size (u16, with these three bytes), its type (u8) and
//! a payload. Pure functions: no socket and no clock here.

use thiserror::Error;

/// Size and type.
pub(super) const HEADER: usize = 3;
/// The only version that this speaks.
pub(super) const VERSION: u16 = 2;

/// What a packet is, by its second field. Requests and replies share a type.
pub(super) mod kind {
    pub const PROTOCOL_VERSION: u8 = b'V';
    pub const CONTROLLER_VERSION: u8 = b'v';
    pub const TEXT: u8 = b'M';
    pub const SETUP_OUTPUTS: u8 = b'O';
    pub const SETUP_INPUTS: u8 = b'I';
    pub const START: u8 = b'S';
    pub const PAUSE: u8 = b'P';
    pub const DATA: u8 = b'U';
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum RtdeError {
    #[error("a packet of type {kind} and {len} bytes is cut short or too long")]
    Length { kind: char, len: usize },
    #[error("a packet says that it has {0} bytes")]
    Size(u16),
    #[error("a packet of unknown type {0}")]
    Unknown(u8),
    #[error("a field has the unknown type {0:?}")]
    FieldType(String),
    #[error("a text is not UTF-8")]
    Text,
}

/// From us to the controller.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Request {
    ProtocolVersion(u16),
    ControllerVersion,
    SetUpOutputs {
        hz: f64,
        names: Vec<String>,
    },
    SetUpInputs(Vec<String>),
    Start,
    Pause,
    /// Values of an input recipe.
    Data {
        recipe: u8,
        values: Vec<Value>,
    },
}

/// From the controller to us.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    ProtocolVersion {
        accepted: bool,
    },
    /// Major, minor, bugfix, build.
    ControllerVersion([u32; 4]),
    Text {
        message: String,
        source: String,
        level: u8,
    },
    Outputs(Recipe),
    Inputs(Recipe),
    Start {
        accepted: bool,
    },
    Pause {
        accepted: bool,
    },
    /// The fields of a recipe in its order, still in bytes.
    Data {
        recipe: u8,
        fields: Vec<u8>,
    },
}

/// What became of the names of a recipe: one entry per name, a type or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recipe {
    pub id: u8,
    pub types: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldType {
    Bool,
    Uint8,
    Uint32,
    Uint64,
    Int32,
    Double,
    Vector3d,
    Vector6d,
    Vector6Int32,
    Vector6Uint32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Uint8(u8),
    Uint32(u32),
    Uint64(u64),
    Int32(i32),
    Double(f64),
    Vector3d([f64; 3]),
    Vector6d([f64; 6]),
    Vector6Int32([i32; 6]),
    Vector6Uint32([u32; 6]),
}

impl FieldType {
    pub fn named(name: &str) -> Result<Self, RtdeError> {
        Ok(match name {
            "BOOL" => Self::Bool,
            "UINT8" => Self::Uint8,
            "UINT32" => Self::Uint32,
            "UINT64" => Self::Uint64,
            "INT32" => Self::Int32,
            "DOUBLE" => Self::Double,
            "VECTOR3D" => Self::Vector3d,
            "VECTOR6D" => Self::Vector6d,
            "VECTOR6INT32" => Self::Vector6Int32,
            "VECTOR6UINT32" => Self::Vector6Uint32,
            _ => return Err(RtdeError::FieldType(name.into())),
        })
    }
}

impl Value {
    pub fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Bool(x) => bytes.push(u8::from(*x)),
            Self::Uint8(x) => bytes.push(*x),
            Self::Uint32(x) => bytes.extend(x.to_be_bytes()),
            Self::Uint64(x) => bytes.extend(x.to_be_bytes()),
            Self::Int32(x) => bytes.extend(x.to_be_bytes()),
            Self::Double(x) => bytes.extend(x.to_be_bytes()),
            Self::Vector3d(x) => x.iter().for_each(|x| bytes.extend(x.to_be_bytes())),
            Self::Vector6d(x) => x.iter().for_each(|x| bytes.extend(x.to_be_bytes())),
            Self::Vector6Int32(x) => x.iter().for_each(|x| bytes.extend(x.to_be_bytes())),
            Self::Vector6Uint32(x) => x.iter().for_each(|x| bytes.extend(x.to_be_bytes())),
        }
    }
}

/// Takes bytes off the front of a payload.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    kind: u8,
    len: usize,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(kind: u8, payload: &'a [u8]) -> Self {
        Self { kind, len: payload.len(), rest: payload }
    }

    fn short(&self) -> RtdeError {
        RtdeError::Length { kind: self.kind.into(), len: HEADER + self.len }
    }

    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], RtdeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.short())?;
        self.rest = rest;
        Ok(*taken)
    }

    pub fn u8(&mut self) -> Result<u8, RtdeError> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    pub fn u32(&mut self) -> Result<u32, RtdeError> {
        self.bytes().map(u32::from_be_bytes)
    }

    pub fn i32(&mut self) -> Result<i32, RtdeError> {
        self.bytes().map(i32::from_be_bytes)
    }

    pub fn f64(&mut self) -> Result<f64, RtdeError> {
        self.bytes().map(f64::from_be_bytes)
    }

    fn six<T: Copy + Default>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, RtdeError>,
    ) -> Result<[T; 6], RtdeError> {
        let mut six = [T::default(); 6];
        for x in &mut six {
            *x = one(self)?;
        }
        Ok(six)
    }

    pub fn value(&mut self, what: FieldType) -> Result<Value, RtdeError> {
        Ok(match what {
            FieldType::Bool => Value::Bool(self.u8()? != 0),
            FieldType::Uint8 => Value::Uint8(self.u8()?),
            FieldType::Uint32 => Value::Uint32(self.u32()?),
            FieldType::Uint64 => Value::Uint64(self.bytes().map(u64::from_be_bytes)?),
            FieldType::Int32 => Value::Int32(self.i32()?),
            FieldType::Double => Value::Double(self.f64()?),
            FieldType::Vector3d => Value::Vector3d([self.f64()?, self.f64()?, self.f64()?]),
            FieldType::Vector6d => Value::Vector6d(self.six(Self::f64)?),
            FieldType::Vector6Int32 => Value::Vector6Int32(self.six(Self::i32)?),
            FieldType::Vector6Uint32 => Value::Vector6Uint32(self.six(Self::u32)?),
        })
    }

    fn text(&mut self, len: usize) -> Result<String, RtdeError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.short())?;
        self.rest = rest;
        std::str::from_utf8(taken).map(str::to_owned).map_err(|_| RtdeError::Text)
    }

    /// Everything that is left, as names between commas.
    pub fn names(&mut self) -> Result<Vec<String>, RtdeError> {
        let text = self.text(self.rest.len())?;
        Ok(text.split(',').map(|name| name.trim().to_owned()).collect())
    }

    pub fn end(self) -> Result<(), RtdeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.short()) }
    }
}

/// A packet's bytes. `None` when the payload is longer than a packet can say.
pub(super) fn packet(kind: u8, payload: &[u8]) -> Option<Vec<u8>> {
    let size = u16::try_from(HEADER + payload.len()).ok()?;
    let mut bytes = Vec::with_capacity(size.into());
    bytes.extend(size.to_be_bytes());
    bytes.push(kind);
    bytes.extend(payload);
    Some(bytes)
}

/// Size and type of the packet that these bytes begin; the payload has `size - HEADER` bytes.
pub(super) fn header(bytes: [u8; HEADER]) -> Result<(usize, u8), RtdeError> {
    let size = u16::from_be_bytes([bytes[0], bytes[1]]);
    if usize::from(size) < HEADER {
        return Err(RtdeError::Size(size));
    }
    Ok((size.into(), bytes[2]))
}

impl Request {
    /// `None` when the names do not fit into a packet.
    pub fn encode(&self) -> Option<Vec<u8>> {
        match self {
            Self::ProtocolVersion(version) => {
                packet(kind::PROTOCOL_VERSION, &version.to_be_bytes())
            }
            Self::ControllerVersion => packet(kind::CONTROLLER_VERSION, &[]),
            Self::SetUpOutputs { hz, names } => {
                let mut payload = hz.to_be_bytes().to_vec();
                payload.extend(names.join(",").as_bytes());
                packet(kind::SETUP_OUTPUTS, &payload)
            }
            Self::SetUpInputs(names) => packet(kind::SETUP_INPUTS, names.join(",").as_bytes()),
            Self::Start => packet(kind::START, &[]),
            Self::Pause => packet(kind::PAUSE, &[]),
            Self::Data { recipe, values } => {
                let mut payload = vec![*recipe];
                values.iter().for_each(|value| value.write(&mut payload));
                packet(kind::DATA, &payload)
            }
        }
    }
}

impl Reply {
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Self, RtdeError> {
        let mut reader = Reader::new(kind, payload);
        let reply = match kind {
            kind::PROTOCOL_VERSION => Self::ProtocolVersion { accepted: reader.u8()? != 0 },
            kind::CONTROLLER_VERSION => Self::ControllerVersion([
                reader.u32()?,
                reader.u32()?,
                reader.u32()?,
                reader.u32()?,
            ]),
            kind::TEXT => {
                let len = reader.u8()?.into();
                let message = reader.text(len)?;
                let len = reader.u8()?.into();
                let source = reader.text(len)?;
                Self::Text { message, source, level: reader.u8()? }
            }
            kind::SETUP_OUTPUTS => {
                Self::Outputs(Recipe { id: reader.u8()?, types: reader.names()? })
            }
            kind::SETUP_INPUTS => Self::Inputs(Recipe { id: reader.u8()?, types: reader.names()? }),
            kind::START => Self::Start { accepted: reader.u8()? != 0 },
            kind::PAUSE => Self::Pause { accepted: reader.u8()? != 0 },
            kind::DATA => {
                let recipe = reader.u8()?;
                return Ok(Self::Data { recipe, fields: reader.rest.to_vec() });
            }
            other => return Err(RtdeError::Unknown(other)),
        };
        reader.end()?;
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(request: &Request, bytes: &[u8]) {
        assert_eq!(request.encode().unwrap(), bytes);
    }

    #[test]
    fn requests_are_the_bytes_of_the_guide() {
        check(&Request::ProtocolVersion(2), &[0, 5, b'V', 0, 2]);
        check(&Request::ControllerVersion, &[0, 3, b'v']);
        check(&Request::Start, &[0, 3, b'S']);
        check(&Request::Pause, &[0, 3, b'P']);
        let outputs =
            Request::SetUpOutputs { hz: 125.0, names: vec!["timestamp".into(), "actual_q".into()] };
        let mut bytes = vec![0, 29, b'O', 0x40, 0x5F, 0x40, 0, 0, 0, 0, 0];
        bytes.extend(b"timestamp,actual_q");
        check(&outputs, &bytes);
        check(&Request::SetUpInputs(vec!["a".into()]), &[0, 4, b'I', b'a']);
        let data = Request::Data { recipe: 1, values: vec![Value::Int32(-2), Value::Bool(true)] };
        check(&data, &[0, 9, b'U', 1, 0xFF, 0xFF, 0xFF, 0xFE, 1]);
    }

    #[test]
    fn names_that_do_not_fit_make_no_packet() {
        assert_eq!(Request::SetUpInputs(vec!["x".repeat(70_000)]).encode(), None);
    }

    fn replies() -> Vec<(Reply, u8, Vec<u8>)> {
        let version = [[0, 0, 0, 5], [0, 0, 0, 14], [0, 0, 0, 3], [0, 0, 1, 0]].concat();
        let recipe = |id| Recipe { id, types: vec!["DOUBLE".into(), "NOT_FOUND".into()] };
        let types = |id| [&[id][..], b"DOUBLE,NOT_FOUND"].concat();
        vec![
            (Reply::ProtocolVersion { accepted: true }, b'V', vec![1]),
            (Reply::ControllerVersion([5, 14, 3, 256]), b'v', version),
            (
                Reply::Text { message: "hi".into(), source: "rtde".into(), level: 1 },
                b'M',
                b"\x02hi\x04rtde\x01".to_vec(),
            ),
            (Reply::Outputs(recipe(3)), b'O', types(3)),
            (Reply::Inputs(recipe(0)), b'I', types(0)),
            (Reply::Start { accepted: true }, b'S', vec![1]),
            (Reply::Pause { accepted: false }, b'P', vec![0]),
            (Reply::Data { recipe: 7, fields: vec![1, 2, 3] }, b'U', vec![7, 1, 2, 3]),
        ]
    }

    #[test]
    fn replies_are_read_and_what_is_cut_or_trailing_is_refused() {
        for (reply, kind, payload) in replies() {
            assert_eq!(Reply::decode(kind, &payload).unwrap(), reply);
            let names_or_data = matches!(kind, b'O' | b'I' | b'U');
            let shortest = if names_or_data { 1 } else { payload.len() };
            for len in 0..shortest {
                Reply::decode(kind, &payload[..len]).unwrap_err();
            }
            if !names_or_data {
                let longer = [payload, vec![0]].concat();
                Reply::decode(kind, &longer).unwrap_err();
            }
        }
        assert_eq!(Reply::decode(b'X', &[]), Err(RtdeError::Unknown(b'X')));
        assert_eq!(header([0, 2, b'V']), Err(RtdeError::Size(2)));
        assert_eq!(header([1, 0, b'U']), Ok((256, b'U')));
    }

    #[test]
    fn every_type_of_value_comes_back_as_it_was_written() {
        let values = [
            ("BOOL", Value::Bool(true), 1),
            ("UINT8", Value::Uint8(200), 1),
            ("UINT32", Value::Uint32(4_000_000_000), 4),
            ("UINT64", Value::Uint64(u64::MAX - 1), 8),
            ("INT32", Value::Int32(-7), 4),
            ("DOUBLE", Value::Double(-0.125), 8),
            ("VECTOR3D", Value::Vector3d([1.0, -2.0, 3.5]), 24),
            ("VECTOR6D", Value::Vector6d([1.0, 2.0, 3.0, 4.0, 5.0, -6.0]), 48),
            ("VECTOR6INT32", Value::Vector6Int32([1, -2, 3, -4, 5, -6]), 24),
            ("VECTOR6UINT32", Value::Vector6Uint32([1, 2, 3, 4, 5, u32::MAX]), 24),
        ];
        for (name, value, size) in values {
            let mut bytes = Vec::new();
            value.write(&mut bytes);
            assert_eq!(bytes.len(), size, "{name}");
            let what = FieldType::named(name).unwrap();
            let mut reader = Reader::new(b'U', &bytes);
            assert_eq!(reader.value(what).unwrap(), value);
            reader.end().unwrap();
            Reader::new(b'U', &bytes[1..]).value(what).unwrap_err();
        }
        FieldType::named("IN_USE").unwrap_err();
    }
}

//! An assembler of pickles: what tests of readers need to write small files, hostile ones too.

#[derive(Clone, Debug, Default)]
pub struct Program(pub Vec<u8>);

impl Program {
    pub fn new() -> Self {
        Self(vec![0x80, 2])
    }

    #[must_use]
    pub fn op(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.op(b"X").op(&(text.len() as u32).to_le_bytes()).op(text.as_bytes())
    }

    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        self.op(b"B").op(&(bytes.len() as u32).to_le_bytes()).op(bytes)
    }

    #[must_use]
    pub fn int(self, value: i32) -> Self {
        self.op(b"J").op(&value.to_le_bytes())
    }

    #[must_use]
    pub fn float(self, value: f64) -> Self {
        self.op(b"G").op(&value.to_be_bytes())
    }

    #[must_use]
    pub fn ints(self, values: &[usize]) -> Self {
        let start = self.op(b"(");
        values.iter().fold(start, |program, &value| program.int(value as i32)).op(b"t")
    }

    #[must_use]
    pub fn global(self, module: &str, name: &str) -> Self {
        self.op(format!("c{module}\n{name}\n").as_bytes())
    }

    /// A numpy array as protocols before 5 write it; `dtype` such as `f4`.
    #[must_use]
    pub fn array(self, dtype: &str, shape: &[usize], data: &[u8]) -> Self {
        let order = if dtype.ends_with('1') { "|" } else { "<" };
        self.global("numpy.core.multiarray", "_reconstruct")
            .op(b"(")
            .global("numpy", "ndarray")
            .ints(&[0])
            .bytes(b"b")
            .op(b"tR(")
            .int(1)
            .ints(shape)
            .global("numpy", "dtype")
            .op(b"(")
            .text(dtype)
            .op(b"\x89\x88tR(")
            .int(3)
            .text(order)
            .op(b"NNN")
            .int(-1)
            .int(-1)
            .int(0)
            .op(b"tb\x89")
            .bytes(data)
            .op(b"tb")
    }

    pub fn stop(self) -> Vec<u8> {
        self.op(b".").0
    }
}

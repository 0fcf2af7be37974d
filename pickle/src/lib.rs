//! A reader of pickles that cannot run anything, and of the numpy arrays in them.
//!
//! The bytes drive a stack machine that builds inert values in an arena. A call stays a value
//! (name and arguments); nothing is looked up, imported or executed, and a name that the caller's
//! [`Label`] does not know is refused. Every opcode costs at least a byte and makes at most one
//! value, so memory is bounded by [`Label::OPCODES_MAX`] and the input; the arena needs no recursion
//! to be built or freed. Opcodes: the subset of protocols 2 to 5 that PyTorch, numpy and
//! dictionaries of them use.

mod machine;
pub mod numpy;
pub mod program;

use std::fmt::Debug;

use thiserror::Error;

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PickleError {
    #[error("the pickle ends inside an instruction (byte {0})")]
    Truncated(usize),
    #[error("the pickle names {name}, which reins refuses (byte {at})")]
    Global { name: String, at: usize },
    #[error("the pickle has the instruction {opcode:#04x}, which no such file needs (byte {at})")]
    Opcode { opcode: u8, at: usize },
    #[error("the pickle has over {0} instructions")]
    TooLong(usize),
    #[error("the pickle {what} (byte {at})")]
    Invalid { what: &'static str, at: usize },
}

/// The names that a file of some kind may hold. They are labels; nothing is behind them.
pub trait Label: Copy + PartialEq + Debug {
    /// Ends a program that is too long to be such a file.
    const OPCODES_MAX: usize;

    /// `None`: the name is refused.
    fn named(module: &str, name: &str) -> Option<Self>;

    fn numpy(self) -> Option<numpy::Name>;

    /// A call without arguments makes a dictionary, one with a dictionary is that dictionary.
    fn makes_dict(self) -> bool {
        false
    }
}

/// A piece of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: usize,
    len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(usize);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<L> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A whole number of more than eight bytes, little-endian.
    Long(Span),
    Text(Span),
    Bytes(Span),
    Global(L),
    Node(NodeId),
}

#[derive(Debug)]
enum Node<L> {
    Tuple(Vec<Value<L>>),
    List(Vec<Value<L>>),
    Dict(Vec<(Value<L>, Value<L>)>),
    Call {
        function: L,
        arguments: Value<L>,
        state: Option<Value<L>>,
    },
    /// A reference to something outside the pickle: PyTorch's storages.
    Persistent(Value<L>),
}

/// A pickle as read: its root and the values below it.
#[derive(Debug)]
pub struct Pickle<'a, L> {
    bytes: &'a [u8],
    nodes: Vec<Node<L>>,
    pub root: Value<L>,
    /// Offset of the first byte after the pickle.
    pub end: usize,
}

/// Function, arguments and state of a call.
pub type Call<'p, L> = (L, &'p [Value<L>], Option<Value<L>>);

impl<'a, L: Label> Pickle<'a, L> {
    pub fn load(bytes: &'a [u8], start: usize) -> Result<Self, PickleError> {
        machine::run(bytes, start)
    }

    fn node(&self, value: Value<L>) -> Option<&Node<L>> {
        match value {
            Value::Node(NodeId(id)) => self.nodes.get(id),
            _ => None,
        }
    }

    pub fn text(&self, value: Value<L>) -> Option<&'a str> {
        match value {
            Value::Text(span) => std::str::from_utf8(self.span(span)).ok(),
            _ => None,
        }
    }

    /// The bytes of a byte string or of a long whole number.
    pub fn raw(&self, value: Value<L>) -> Option<&'a [u8]> {
        match value {
            Value::Bytes(span) | Value::Long(span) => Some(self.span(span)),
            _ => None,
        }
    }

    pub fn index(&self, value: Value<L>) -> Option<usize> {
        match value {
            Value::Int(int) => usize::try_from(int).ok(),
            _ => None,
        }
    }

    pub fn items(&self, value: Value<L>) -> Option<&[Value<L>]> {
        match self.node(value)? {
            Node::Tuple(items) | Node::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn indices(&self, value: Value<L>) -> Option<Vec<usize>> {
        self.items(value)?.iter().map(|&item| self.index(item)).collect()
    }

    pub fn pairs(&self, value: Value<L>) -> Option<&[(Value<L>, Value<L>)]> {
        match self.node(value)? {
            Node::Dict(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// The entry of a dictionary by its name; the last one counts, as in Python.
    pub fn entry(&self, dict: Value<L>, name: &str) -> Option<Value<L>> {
        let pairs = self.pairs(dict)?;
        pairs.iter().rev().find(|(key, _)| self.text(*key) == Some(name)).map(|(_, value)| *value)
    }

    pub fn call(&self, value: Value<L>) -> Option<Call<'_, L>> {
        match self.node(value)? {
            Node::Call { function, arguments, state } => {
                Some((*function, self.items(*arguments)?, *state))
            }
            _ => None,
        }
    }

    pub fn persistent(&self, value: Value<L>) -> Option<&[Value<L>]> {
        match self.node(value)? {
            Node::Persistent(id) => self.items(*id),
            _ => None,
        }
    }

    /// What the pickle refers to outside itself.
    pub fn persistent_ids(&self) -> impl Iterator<Item = &[Value<L>]> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Persistent(id) => self.items(*id),
            _ => None,
        })
    }

    fn span(&self, span: Span) -> &'a [u8] {
        &self.bytes[span.start..span.start + span.len]
    }
}

#[cfg(test)]
mod tests;

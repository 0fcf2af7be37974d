//! The stack machine behind [`Pickle::load`].

use std::collections::HashMap;

use crate::{Label, Node, NodeId, Pickle, PickleError, Span, Value};

pub(crate) fn run<L: Label>(bytes: &[u8], start: usize) -> Result<Pickle<'_, L>, PickleError> {
    let machine = Machine {
        bytes,
        at: start,
        nodes: vec![],
        stack: vec![],
        marks: vec![],
        memo: HashMap::new(),
    };
    machine.run()
}

struct Machine<'a, L> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node<L>>,
    stack: Vec<Value<L>>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value<L>>,
}

impl<'a, L: Label> Machine<'a, L> {
    fn run(mut self) -> Result<Pickle<'a, L>, PickleError> {
        for _ in 0..L::OPCODES_MAX {
            let opcode = self.u8()?;
            if opcode == b'.' {
                let root = self.pop()?;
                return Ok(Pickle { bytes: self.bytes, nodes: self.nodes, root, end: self.at });
            }
            self.step(opcode)?;
        }
        Err(PickleError::TooLong(L::OPCODES_MAX))
    }

    /// One instruction; letters and numbers as in Python's `pickletools`.
    fn step(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            0x80 => self.protocol(),                                         // PROTO
            0x95 => self.take(8).map(drop),                                  // FRAME
            b'(' => self.mark(),                                             // MARK
            b'0' => self.pop().map(drop),                                    // POP
            b'N' => self.push(Value::None),                                  // NONE
            0x88 => self.push(Value::Bool(true)),                            // NEWTRUE
            0x89 => self.push(Value::Bool(false)),                           // NEWFALSE
            b'K' => self.int::<1>(),                                         // BININT1
            b'M' => self.int::<2>(),                                         // BININT2
            b'J' => self.signed_int(),                                       // BININT
            0x8a => self.long(),                                             // LONG1
            b'G' => self.float(),                                            // BINFLOAT
            0x8c => self.string::<1>(Value::Text),                           // SHORT_BINUNICODE
            b'X' => self.string::<4>(Value::Text),                           // BINUNICODE
            0x8d => self.string::<8>(Value::Text),                           // BINUNICODE8
            b'C' => self.string::<1>(Value::Bytes),                          // SHORT_BINBYTES
            b'B' => self.string::<4>(Value::Bytes),                          // BINBYTES
            0x8e | 0x96 => self.string::<8>(Value::Bytes), // BINBYTES8, BYTEARRAY8
            b')' => self.push_node(Node::Tuple(vec![])),   // EMPTY_TUPLE
            b']' => self.push_node(Node::List(vec![])),    // EMPTY_LIST
            b'}' => self.push_node(Node::Dict(vec![])),    // EMPTY_DICT
            b't' => self.tuple_from_mark(),                // TUPLE
            0x85..=0x87 => self.tuple(usize::from(opcode - 0x84)), // TUPLE1, TUPLE2, TUPLE3
            b'a' => self.append(1),                        // APPEND
            b'e' => self.since_mark().and_then(|n| self.append(n)), // APPENDS
            b's' => self.set_items(2),                     // SETITEM
            b'u' => self.since_mark().and_then(|n| self.set_items(n)), // SETITEMS
            b'q' => self.number::<1>().and_then(|key| self.put(key as u32)), // BINPUT
            b'r' => self.number::<4>().and_then(|key| self.put(key as u32)), // LONG_BINPUT
            0x94 => self.put(self.memo.len() as u32),      // MEMOIZE
            b'h' => self.number::<1>().and_then(|key| self.get(key as u32)), // BINGET
            b'j' => self.number::<4>().and_then(|key| self.get(key as u32)), // LONG_BINGET
            b'c' => self.global(),                         // GLOBAL
            0x93 => self.stack_global(),                   // STACK_GLOBAL
            b'R' => self.reduce(),                         // REDUCE
            b'b' => self.build(),                          // BUILD
            b'Q' => self.persistent(),                     // BINPERSID
            _ => Err(PickleError::Opcode { opcode, at: self.at - 1 }),
        }
    }

    fn invalid<T>(&self, what: &'static str) -> Result<T, PickleError> {
        Err(PickleError::Invalid { what, at: self.at })
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], PickleError> {
        let end = self.at.checked_add(len);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or(PickleError::Truncated(self.at))?;
        self.at += len;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, PickleError> {
        self.take(1).map(|byte| byte[0])
    }

    /// A little-endian number of `N` bytes, at most eight.
    fn number<const N: usize>(&mut self) -> Result<u64, PickleError> {
        let bytes = self.take(N)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn pop(&mut self) -> Result<Value<L>, PickleError> {
        // What lies below a mark belongs to an unfinished collection.
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return self.invalid("takes from an empty stack");
        }
        Ok(self.stack.pop().expect("the length was just looked at"))
    }

    fn top(&self) -> Result<Value<L>, PickleError> {
        match self.stack.last() {
            Some(&value) => Ok(value),
            None => self.invalid("looks at an empty stack"),
        }
    }

    fn push(&mut self, value: Value<L>) -> Result<(), PickleError> {
        self.stack.push(value);
        Ok(())
    }

    fn push_node(&mut self, node: Node<L>) -> Result<(), PickleError> {
        self.nodes.push(node);
        self.push(Value::Node(NodeId(self.nodes.len() - 1)))
    }

    fn protocol(&mut self) -> Result<(), PickleError> {
        match self.u8()? {
            2..=5 => Ok(()),
            _ => self.invalid("has a protocol other than 2 to 5"),
        }
    }

    fn mark(&mut self) -> Result<(), PickleError> {
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// Removes the newest mark; how many values lie above it.
    fn since_mark(&mut self) -> Result<usize, PickleError> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.len() - mark),
            _ => self.invalid("ends a collection that it did not begin"),
        }
    }

    /// The newest `count` values, oldest first.
    fn pop_many(&mut self, count: usize) -> Result<Vec<Value<L>>, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(from) if from >= floor => Ok(self.stack.split_off(from)),
            _ => self.invalid("takes from an empty stack"),
        }
    }

    fn int<const N: usize>(&mut self) -> Result<(), PickleError> {
        let value = self.number::<N>()?;
        self.push(Value::Int(value as i64))
    }

    fn signed_int(&mut self) -> Result<(), PickleError> {
        let value = self.number::<4>()? as u32 as i32;
        self.push(Value::Int(value.into()))
    }

    fn long(&mut self) -> Result<(), PickleError> {
        let len = usize::from(self.u8()?);
        let start = self.at;
        let bytes = self.take(len)?;
        if len > 8 {
            return self.push(Value::Long(Span { start, len }));
        }
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut padded = [if negative { 0xff } else { 0 }; 8];
        padded[..len].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(padded)))
    }

    fn float(&mut self) -> Result<(), PickleError> {
        let bytes = self.take(8)?.first_chunk().expect("eight bytes were taken");
        self.push(Value::Float(f64::from_be_bytes(*bytes)))
    }

    fn string<const N: usize>(&mut self, kind: fn(Span) -> Value<L>) -> Result<(), PickleError> {
        let len = usize::try_from(self.number::<N>()?).unwrap_or(usize::MAX);
        let start = self.at;
        self.take(len)?;
        self.push(kind(Span { start, len }))
    }

    fn tuple(&mut self, len: usize) -> Result<(), PickleError> {
        let items = self.pop_many(len)?;
        self.push_node(Node::Tuple(items))
    }

    fn tuple_from_mark(&mut self) -> Result<(), PickleError> {
        let len = self.since_mark()?;
        self.tuple(len)
    }

    fn top_node(&mut self) -> Result<&mut Node<L>, PickleError> {
        match self.top()? {
            Value::Node(NodeId(id)) => Ok(&mut self.nodes[id]),
            _ => self.invalid("changes something that is no collection"),
        }
    }

    fn append(&mut self, count: usize) -> Result<(), PickleError> {
        let items = self.pop_many(count)?;
        match self.top_node()? {
            Node::List(list) => list.extend(items),
            _ => return self.invalid("appends to something that is no list"),
        }
        Ok(())
    }

    fn set_items(&mut self, count: usize) -> Result<(), PickleError> {
        let items = self.pop_many(count)?;
        let (pairs, rest) = items.as_chunks::<2>();
        match self.top_node()? {
            Node::Dict(dict) if rest.is_empty() => {
                dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            _ => self.invalid("sets entries of something that is no dictionary"),
        }
    }

    fn put(&mut self, key: u32) -> Result<(), PickleError> {
        let value = self.top()?;
        self.memo.insert(key, value);
        Ok(())
    }

    fn get(&mut self, key: u32) -> Result<(), PickleError> {
        match self.memo.get(&key) {
            Some(&value) => self.push(value),
            None => self.invalid("remembers what it never saw"),
        }
    }

    fn line(&mut self) -> Result<&'a [u8], PickleError> {
        let rest = &self.bytes[self.at..];
        match rest.iter().position(|&byte| byte == b'\n') {
            Some(len) => self.take(len + 1).map(|line| &line[..len]),
            None => Err(PickleError::Truncated(self.bytes.len())),
        }
    }

    fn global(&mut self) -> Result<(), PickleError> {
        let at = self.at;
        let (module, name) = (self.line()?, self.line()?);
        self.push_global(module, name, at)
    }

    fn stack_global(&mut self) -> Result<(), PickleError> {
        let at = self.at;
        match (self.pop()?, self.pop()?) {
            (Value::Text(name), Value::Text(module)) => {
                let span = |span: Span| &self.bytes[span.start..span.start + span.len];
                self.push_global(span(module), span(name), at)
            }
            _ => self.invalid("has a name that is no text"),
        }
    }

    fn push_global(&mut self, module: &[u8], name: &[u8], at: usize) -> Result<(), PickleError> {
        let text = |bytes| str::from_utf8(bytes).unwrap_or("?");
        match L::named(text(module), text(name)) {
            Some(label) => self.push(Value::Global(label)),
            None => Err(PickleError::Global { name: printable(module, name), at }),
        }
    }

    /// A call becomes a value; dictionaries by another name become plain ones.
    fn reduce(&mut self) -> Result<(), PickleError> {
        let arguments = self.pop()?;
        let Value::Global(function) = self.pop()? else {
            return self.invalid("calls something that is no name");
        };
        let given = match arguments {
            Value::Node(NodeId(id)) => match &self.nodes[id] {
                Node::Tuple(items) => items.as_slice(),
                _ => return self.invalid("calls with something that is no tuple"),
            },
            _ => return self.invalid("calls with something that is no tuple"),
        };
        match (function, given) {
            (function, []) if function.makes_dict() => self.push_node(Node::Dict(vec![])),
            (function, &[dict]) if function.makes_dict() => self.push(dict),
            _ => self.push_node(Node::Call { function, arguments, state: None }),
        }
    }

    fn build(&mut self) -> Result<(), PickleError> {
        let new = self.pop()?;
        match self.top_node()? {
            Node::Call { state: state @ None, .. } => *state = Some(new),
            // Attributes of an OrderedDict, such as a state dict's `_metadata`: not needed.
            Node::Dict(_) => {}
            _ => return self.invalid("gives a state to something that has none"),
        }
        Ok(())
    }

    fn persistent(&mut self) -> Result<(), PickleError> {
        let id = self.pop()?;
        self.push_node(Node::Persistent(id))
    }
}

/// A refused name as it may be shown: short and without control characters.
fn printable(module: &[u8], name: &[u8]) -> String {
    let short = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
    format!("{}.{}", short(module).escape_debug(), short(name).escape_debug())
}

use super::*;
use crate::program::Program;

const OPCODES_MAX: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    OrderedDict,
    Numpy(numpy::Name),
}

impl Label for Known {
    const OPCODES_MAX: usize = OPCODES_MAX;

    fn named(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            _ => numpy::Name::named(module, name).map(Self::Numpy),
        }
    }

    fn numpy(self) -> Option<numpy::Name> {
        match self {
            Self::Numpy(name) => Some(name),
            Self::OrderedDict => None,
        }
    }

    fn makes_dict(self) -> bool {
        self == Self::OrderedDict
    }
}

type Pickle<'a> = super::Pickle<'a, Known>;
type Value = super::Value<Known>;

fn load(program: Program) -> Result<Value, PickleError> {
    Pickle::load(&program.stop(), 0).map(|pickle| pickle.root)
}

fn check_refused(program: Program, expected: &str) {
    let error = load(program).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn whole_numbers_keep_their_sign() {
    assert_eq!(load(Program::new().op(b"K\xff")), Ok(Value::Int(255)));
    assert_eq!(load(Program::new().op(b"M\xff\xff")), Ok(Value::Int(65535)));
    assert_eq!(load(Program::new().int(-2)), Ok(Value::Int(-2)));
    assert_eq!(load(Program::new().op(b"\x8a\x01\xfe")), Ok(Value::Int(-2)));
    assert_eq!(load(Program::new().op(b"\x8a\x00")), Ok(Value::Int(0)));
    assert_eq!(load(Program::new().op(b"G\x3f\xf8\0\0\0\0\0\0")), Ok(Value::Float(1.5)));
}

#[test]
fn a_remembered_collection_is_the_same_one() {
    // d = {}; d["a"] = d2 = {}; d["b"] = d2; d2["c"] = 1
    let program = Program::new()
        .op(b"}q\x00")
        .text("a")
        .op(b"}q\x01s")
        .text("b")
        .op(b"h\x01sh\x01")
        .text("c")
        .int(1)
        .op(b"s0")
        .stop();
    let pickle = Pickle::load(&program, 0).unwrap();
    let pairs = pickle.pairs(pickle.root).unwrap();
    let names: Vec<_> = pairs.iter().map(|(key, _)| pickle.text(*key).unwrap()).collect();
    assert_eq!(names, ["a", "b"]);
    for (_, value) in pairs {
        assert_eq!(pickle.pairs(*value).unwrap().len(), 1);
    }
}

#[test]
fn names_outside_the_list_are_refused_by_name() {
    let run = |program: Program| program.op(b"(").text("true").op(b"tR");
    check_refused(
        run(Program::new().global("os", "system")),
        "names os.system, which reins refuses",
    );
    check_refused(run(Program::new().global("posix", "system")), "posix.system");
    check_refused(Program::new().text("builtins").text("eval").op(b"\x93"), "builtins.eval");
    check_refused(Program::new().global("torch", "load"), "torch.load");
    check_refused(Program::new().global("numpy.core.multiarray", "fromfile"), "fromfile");
    check_refused(Program::new().global("a\x1b[2J", "b"), r"a\u{1b}[2J.b");
}

#[test]
fn instructions_that_no_weight_file_needs_are_refused() {
    // INST, OBJ, NEWOBJ, EXT1, PERSID, INT, BINSTRING, GET, DUP
    for opcode in [b'i', b'o', 0x81, 0x82, b'P', b'I', b'T', b'g', b'2'] {
        check_refused(Program::new().op(&[opcode]), "which no such file needs");
    }
}

#[test]
fn a_wrong_use_of_the_stack_is_refused() {
    for program in [
        &b""[..],
        b"0",
        b"(0",
        b"t",
        b"N(t0t",
        b"]a",
        b"Ns",
        b"N)R",
        b"(0t",
        b"Q",
        b"N]b",
        b"]Nb",
        b"(\x85",
        b"N(\x85",
        b"q\x00",
        b"h\x00",
        b"j\0\0\0\0",
        b"e",
        b"u",
        b"}(Nu",
        b"](NNu",
        b"}NNa",
        b"NNR",
        b"c\xff\n\xff\n",
        b"NN\x93",
        b"ccollections\nOrderedDict\nNR",
    ] {
        assert!(load(Program::new().op(program)).is_err(), "{program:02x?}");
    }
    assert!(Pickle::load(b"\x80\x01N.", 0).is_err());
    assert!(Pickle::load(b"\x80\x06N.", 0).is_err());
}

#[test]
fn huge_lengths_are_refused_before_memory_is_taken() {
    for program in [
        &b"X\xff\xff\xff\xff"[..],
        b"B\xff\xff\xff\x7f",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x96\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x8a\xff",
    ] {
        assert!(matches!(load(Program::new().op(program)), Err(PickleError::Truncated(_))));
    }
}

#[test]
fn deep_nesting_and_cycles_do_no_harm() {
    let deep = load(Program::new().op(b"N").op(&vec![0x85; 500_000]));
    assert!(matches!(deep, Ok(Value::Node(_))));
    let cycle = load(Program::new().op(b"]q\x00h\x00a"));
    assert!(matches!(cycle, Ok(Value::Node(_))));
    assert_eq!(
        load(Program::new().op(&vec![b'N'; OPCODES_MAX])),
        Err(PickleError::TooLong(OPCODES_MAX))
    );
}

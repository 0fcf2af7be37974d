//! One transition of a pickle, held against the shapes of the task. What is wrong is told in words.

use pickle::numpy::{self, Dtype, NdArray};
use tasks::TaskConfig;
use wire::{Action, Frame};

use super::names::{Pickle, Value};
use crate::import::CameraNames;

/// What is seen, without the time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub proprio: Vec<f32>,
    pub frames: Vec<Frame>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Transition {
    pub seen: Seen,
    pub action: Action,
    pub next: Seen,
    pub reward: f32,
    pub done: bool,
    /// 0 where values do not bootstrap.
    pub mask: f32,
    pub grasp_penalty: f32,
}

pub(super) struct Shapes<'a> {
    pub task: &'a TaskConfig,
    pub cameras: &'a CameraNames,
}

impl Shapes<'_> {
    pub fn transition(&self, pickle: &Pickle<'_>, value: Value) -> Result<Transition, String> {
        let entry = |name: &str| {
            let found = pickle.entry(value, name);
            found.ok_or_else(|| match pickle.pairs(value) {
                Some(_) => format!("it has no `{name}`"),
                None => "it is no dictionary".to_owned(),
            })
        };
        let within = |name: &'static str| move |what: String| format!("{name}: {what}");
        let scalar = |name: &'static str| {
            entry(name).and_then(|value| number(pickle, value).map_err(within(name)))
        };
        let seen = |name: &'static str| {
            entry(name).and_then(|value| self.seen(pickle, value).map_err(within(name)))
        };
        let done = scalar("dones")? != 0.0;
        let mask = match pickle.entry(value, "masks") {
            Some(mask) => number(pickle, mask).map_err(within("masks"))?,
            None => f64::from(u8::from(!done)),
        };
        let grasp_penalty = match pickle.entry(value, "grasp_penalty") {
            Some(penalty) => number(pickle, penalty).map_err(within("grasp_penalty"))?,
            None => 0.0,
        };
        Ok(Transition {
            seen: seen("observations")?,
            action: self.action(pickle, entry("actions")?).map_err(within("actions"))?,
            next: seen("next_observations")?,
            reward: scalar("rewards")? as f32,
            done,
            mask: mask as f32,
            grasp_penalty: grasp_penalty as f32,
        })
    }

    fn action(&self, pickle: &Pickle<'_>, value: Value) -> Result<Action, String> {
        let numbers = numbers(&array(pickle, value)?)?;
        let dim = self.task.action_spec().dim;
        if numbers.len() != dim {
            return Err(format!(
                "there are {} numbers, the task's actions have {dim}",
                numbers.len()
            ));
        }
        finite(&numbers)?;
        Ok(Action::from_slice(&numbers))
    }

    fn seen(&self, pickle: &Pickle<'_>, value: Value) -> Result<Seen, String> {
        let pairs = pickle.pairs(value).ok_or("it is no dictionary")?;
        let spec = self.task.observation_spec();
        let proprio = match spec.proprio_dim {
            0 => Vec::new(),
            dim => {
                let state = pickle.entry(value, "state").ok_or("it has no `state`")?;
                let numbers = array(pickle, state).and_then(|array| numbers(&array));
                let numbers = numbers.map_err(|what| format!("state: {what}"))?;
                if numbers.len() != dim {
                    return Err(format!(
                        "state has {} numbers, the task's observation.proprio has {dim}: take a \
                         task file whose keys are those of the recording",
                        numbers.len()
                    ));
                }
                finite(&numbers).map_err(|what| format!("state: {what}"))?;
                numbers
            }
        };
        let mut frames = Vec::with_capacity(spec.cameras.len());
        for camera in &spec.cameras {
            let key = self.cameras.key(&camera.name);
            let Some(picture) = pickle.entry(value, key) else {
                let there: Vec<&str> = pairs
                    .iter()
                    .filter_map(|(key, _)| pickle.text(*key))
                    .filter(|key| *key != "state")
                    .collect();
                let name = &camera.name;
                return Err(format!(
                    "it has no pictures `{key}` for the task's camera {name}, it has {there:?}: \
                     name one with --camera KEY={name}"
                ));
            };
            let array = array(pickle, picture).map_err(|what| format!("{key}: {what}"))?;
            let frame = frame(&array, camera.width, camera.height);
            frames.push(frame.map_err(|what| format!("{key}: {what}"))?);
        }
        Ok(Seen { proprio, frames })
    }
}

fn finite(numbers: &[f32]) -> Result<(), String> {
    match numbers.iter().all(|x| x.is_finite()) {
        true => Ok(()),
        false => Err("a number is not finite".into()),
    }
}

fn array<'a>(pickle: &Pickle<'a>, value: Value) -> Result<NdArray<'a>, String> {
    numpy::array(pickle, value).map_err(|e| e.to_string())
}

/// A number, however Python came to write it: plain, of numpy, or an array of one.
fn number(pickle: &Pickle<'_>, value: Value) -> Result<f64, String> {
    let number = match value {
        Value::Bool(flag) => f64::from(u8::from(flag)),
        Value::Int(int) => int as f64,
        Value::Float(float) => float,
        value => match numbers(&array(pickle, value)?)?.as_slice() {
            [number] => f64::from(*number),
            numbers => return Err(format!("there are {} numbers, not one", numbers.len())),
        },
    };
    match number.is_finite() {
        true => Ok(number),
        false => Err("it is not finite".into()),
    }
}

/// The numbers of an array with at most one axis that is longer than 1, so that order means nothing.
fn numbers(array: &NdArray<'_>) -> Result<Vec<f32>, String> {
    if array.shape.iter().filter(|dim| **dim > 1).count() > 1 {
        return Err(format!("it has the shape {:?}, more than one long axis", array.shape));
    }
    let of = |element: &[u8]| match (array.dtype, element) {
        (Dtype::Float(4), &[a, b, c, d]) => Some(f32::from_le_bytes([a, b, c, d])),
        (Dtype::Float(8), _) => Some(f64::from_le_bytes(element.try_into().ok()?) as f32),
        (Dtype::Float(_), _) => None,
        (Dtype::Signed(size), _) => {
            let negative = element.last().is_some_and(|byte| byte & 0x80 != 0);
            let mut padded = [if negative { 0xff } else { 0 }; 8];
            padded[..size].copy_from_slice(element);
            Some(i64::from_le_bytes(padded) as f32)
        }
        (Dtype::Bool | Dtype::Unsigned(_), _) => {
            let mut padded = [0; 8];
            padded[..element.len()].copy_from_slice(element);
            Some(u64::from_le_bytes(padded) as f32)
        }
    };
    let numbers: Option<Vec<f32>> = array.bytes.chunks_exact(array.dtype.size()).map(of).collect();
    numbers.ok_or_else(|| "its numbers are of a type that is not read here".into())
}

/// A picture of `[height, width, 3]` bytes, with axes of length 1 before it.
fn frame(array: &NdArray<'_>, width: u16, height: u16) -> Result<Frame, String> {
    let wanted = [usize::from(height), usize::from(width), 3];
    let shape = &array.shape;
    let axes = shape.len().saturating_sub(3);
    let (before, last) = shape.split_at(axes);
    if last != wanted || before.iter().any(|dim| *dim != 1) {
        return Err(format!("it has the shape {shape:?}, the task wants {wanted:?}"));
    }
    if array.dtype != Dtype::Unsigned(1) {
        return Err("its values are no bytes".into());
    }
    let pixels =
        if array.fortran { from_fortran(&array.bytes, wanted) } else { array.bytes.to_vec() };
    Frame::new(width, height, pixels).ok_or_else(|| "its bytes do not fit its shape".into())
}

/// First index fastest to last index fastest.
fn from_fortran(bytes: &[u8], [rows, columns, channels]: [usize; 3]) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(bytes.len());
    for row in 0..rows {
        for column in 0..columns {
            for channel in 0..channels {
                pixels.push(bytes[row + rows * (column + columns * channel)]);
            }
        }
    }
    pixels
}

//! All parameters of a group of modules in one flat f32 tensor, and the named views of it.
//!
//! Optimiser, moving average, hashing and checkpoint are then a handful of operations on one
//! tensor. Modules hold [`ParamId`]s, never tensors, so the same module runs with the online
//! parameters (with or without gradients) and with the target's.

use std::{
    ops::{Index, Range},
    sync::Arc,
};

use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use crate::init::Init;

/// Views begin at multiples of 64 bytes: what the vector units like.
const ALIGNMENT: i64 = 16;

/// Names one parameter of a [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamId(usize);

/// Parameters that lie side by side: which ones, and which part of the flat tensor they fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub params: Range<usize>,
    pub values: Range<i64>,
}

impl Span {
    /// This span and the one right behind it.
    pub fn join(&self, next: &Self) -> Self {
        assert_eq!(self.params.end, next.params.start, "spans that are joined touch");
        Self {
            params: self.params.start..next.params.end,
            values: self.values.start..next.values.end,
        }
    }

    pub fn len(&self) -> i64 {
        self.values.end - self.values.start
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    pub name: String,
    pub shape: Vec<i64>,
    /// First value in the flat tensor.
    pub offset: i64,
    pub init: Init,
}

impl ParamSpec {
    pub fn numel(&self) -> i64 {
        self.shape.iter().product()
    }
}

/// Which parameters there are and where they lie.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    specs: Vec<ParamSpec>,
    len: i64,
}

impl Layout {
    pub fn add(&mut self, name: impl Into<String>, shape: &[i64], init: Init) -> ParamId {
        let spec = ParamSpec { name: name.into(), shape: shape.to_vec(), offset: self.len, init };
        self.len += (spec.numel() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        self.specs.push(spec);
        ParamId(self.specs.len() - 1)
    }

    /// The span of everything that `add` puts into the layout, and what it returns.
    pub fn span<T>(&mut self, add: impl FnOnce(&mut Self) -> T) -> (T, Span) {
        let (first, start) = (self.specs.len(), self.len);
        let added = add(self);
        (added, Span { params: first..self.specs.len(), values: start..self.len })
    }

    pub fn whole(&self) -> Span {
        Span { params: 0..self.specs.len(), values: 0..self.len }
    }

    pub fn specs(&self) -> &[ParamSpec] {
        &self.specs
    }

    /// Values in the flat tensor, padding included.
    pub fn len(&self) -> i64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Views of `flat`, one per parameter.
    pub fn views_of(&self, flat: &Tensor) -> Vec<Tensor> {
        self.specs
            .iter()
            .map(|spec| flat.narrow(0, spec.offset, spec.numel()).view(spec.shape.as_slice()))
            .collect()
    }
}

/// The parameters as a module sees them.
#[derive(Clone, Copy, Debug)]
pub struct Views<'a>(&'a [Tensor]);

impl Index<ParamId> for Views<'_> {
    type Output = Tensor;

    fn index(&self, id: ParamId) -> &Tensor {
        &self.0[id.0]
    }
}

/// Values for a [`Layout`].
#[derive(Debug)]
pub struct ParamSet {
    layout: Arc<Layout>,
    flat: Tensor,
    leaves: Vec<Tensor>,
    frozen: Vec<Tensor>,
}

impl ParamSet {
    /// Takes `flat`, an f32 tensor of the layout's length, as the storage.
    pub fn new(layout: Arc<Layout>, flat: Tensor) -> Self {
        assert_eq!(flat.size(), [layout.len()], "the storage fits the layout");
        assert_eq!(flat.kind(), Kind::Float, "parameters are f32");
        let flat = flat.detach();
        let frozen = layout.views_of(&flat);
        let leaves = layout
            .views_of(&flat)
            .iter()
            .map(|view| view.detach().set_requires_grad(true))
            .collect();
        Self { layout, flat, leaves, frozen }
    }

    pub fn zeros(layout: Arc<Layout>, device: Device) -> Self {
        let flat = Tensor::zeros([layout.len()], (Kind::Float, device));
        Self::new(layout, flat)
    }

    /// Every parameter drawn as its [`Init`] says, in the order of the layout.
    pub fn init(layout: Arc<Layout>, rng: &mut ChaCha8Rng, device: Device) -> Self {
        let mut values = vec![0.0; layout.len() as usize];
        for spec in layout.specs() {
            let start = spec.offset as usize;
            spec.init.fill(&mut values[start..start + spec.numel() as usize], rng);
        }
        Self::new(layout, Tensor::from_slice(&values).to_device(device))
    }

    /// The same values in storage of their own.
    pub fn duplicate(&self) -> Self {
        Self::new(self.layout.clone(), self.flat.copy())
    }

    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Everything in one tensor. What is written into it is seen by all views.
    pub fn flat(&self) -> &Tensor {
        &self.flat
    }

    /// The part of the flat tensor that `span` names.
    pub fn flat_of(&self, span: &Span) -> Tensor {
        self.flat.narrow(0, span.values.start, span.len())
    }

    /// Views that gradients are taken for.
    pub fn leaves(&self) -> Views<'_> {
        Views(&self.leaves)
    }

    pub fn leaves_of(&self, span: &Span) -> &[Tensor] {
        &self.leaves[span.params.clone()]
    }

    /// Views that count as constants.
    pub fn frozen(&self) -> Views<'_> {
        Views(&self.frozen)
    }

    /// Name and value of every parameter in `span`.
    pub fn named(&self, span: &Span) -> impl Iterator<Item = (&str, &Tensor)> {
        let specs = &self.layout.specs()[span.params.clone()];
        specs.iter().map(|spec| spec.name.as_str()).zip(&self.frozen[span.params.clone()])
    }

    pub fn get(&self, name: &str) -> Option<&Tensor> {
        let at = self.layout.specs().iter().position(|spec| spec.name == name)?;
        Some(&self.frozen[at])
    }

    pub fn device(&self) -> Device {
        self.flat.device()
    }
}

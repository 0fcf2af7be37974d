//! From an observation to the vector that policy and critics see.
//!
//! The frozen backbone has run long before: what comes in are its features, or their projection.

use tch::{Kind, Tensor};

use crate::{
    architecture::{Architecture, HeadSpec},
    init::Init,
    mlp::{DenseNormTanh, xavier},
    params::{Layout, ParamId, Views},
    projection::Projection,
};

/// Observations of a batch.
#[derive(Debug)]
pub struct ObservationBatch {
    /// [batch, proprio], f32.
    pub proprio: Tensor,
    pub images: Images,
}

#[derive(Debug)]
pub enum Images {
    /// The head looks at no camera.
    None,
    /// One tensor per camera: the backbone's features [batch, channels * height * width], f16 or f32.
    Raw(Vec<Tensor>),
    /// All cameras' projections side by side, [batch, cameras * components], f16 or f32.
    Projected(Tensor),
}

impl ObservationBatch {
    pub fn len(&self) -> i64 {
        self.proprio.size()[0]
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What does not fit `architecture`, in words; `None` when all fits.
    pub fn mismatch(&self, architecture: &Architecture, batch: i64) -> Option<String> {
        let expect = |what: &str, got: Vec<i64>, width: i64| {
            (got != [batch, width]).then(|| format!("{what} is {got:?}, not [{batch}, {width}]"))
        };
        let proprio = expect("proprioception", self.proprio.size(), architecture.proprio_dim);
        proprio.or_else(|| match (&architecture.head, &self.images) {
            (HeadSpec::StateOnly, Images::None) => None,
            (HeadSpec::Pca { cameras, components, .. }, Images::Projected(x)) => {
                expect("the projection", x.size(), cameras.len() as i64 * components)
            }
            (
                head @ (HeadSpec::Pca { .. } | HeadSpec::SpatialEmbedding { .. }),
                Images::Raw(raw),
            ) => {
                if raw.len() != head.cameras().len() {
                    return Some(format!("{} cameras, not {}", raw.len(), head.cameras().len()));
                }
                let width = head.feature_dim();
                raw.iter().find_map(|x| expect("a camera's features", x.size(), width))
            }
            (head, images) => Some(format!("{} do not suit the head {head:?}", images.kind())),
        })
    }
}

impl Images {
    fn kind(&self) -> &'static str {
        match self {
            Self::None => "no images",
            Self::Raw(_) => "raw features",
            Self::Projected(_) => "projected features",
        }
    }
}

/// Multipliers of the spatial features, one [batch, channels * kernels] per camera: 0 where one is
/// dropped, 1 / (1 - rate) elsewhere.
pub type DropoutMasks = [Tensor];

#[derive(Debug)]
pub enum Head {
    StateOnly,
    Pca(Vec<Projection>),
    SpatialEmbedding(SpatialEmbedding),
}

impl Head {
    /// `projections`: one per camera for [`HeadSpec::Pca`]; may be empty where only projected
    /// features come in.
    pub fn new(
        layout: &mut Layout,
        architecture: &Architecture,
        projections: Vec<Projection>,
    ) -> Self {
        match &architecture.head {
            HeadSpec::StateOnly => Self::StateOnly,
            HeadSpec::Pca { .. } => Self::Pca(projections),
            HeadSpec::SpatialEmbedding {
                cameras,
                feature_shape: [channels, height, width],
                kernels,
                bottleneck,
                proprio_latent,
                ..
            } => Self::SpatialEmbedding(SpatialEmbedding {
                cameras: cameras
                    .iter()
                    .map(|camera| {
                        let name = format!("head/{camera}");
                        CameraEmbedding::new(
                            layout,
                            &name,
                            [*channels, height * width, *kernels],
                            *bottleneck,
                        )
                    })
                    .collect(),
                proprio: DenseNormTanh::new(
                    layout,
                    "head/proprio",
                    [architecture.proprio_dim, *proprio_latent],
                    xavier(architecture.proprio_dim, *proprio_latent),
                ),
            }),
        }
    }

    /// Width of the vector that comes out.
    pub fn width(architecture: &Architecture) -> i64 {
        let cameras = architecture.head.cameras().len() as i64;
        match &architecture.head {
            HeadSpec::StateOnly => architecture.proprio_dim,
            HeadSpec::Pca { components, .. } => architecture.proprio_dim + cameras * components,
            HeadSpec::SpatialEmbedding { bottleneck, proprio_latent, .. } => {
                cameras * bottleneck + proprio_latent
            }
        }
    }

    /// Whether the head has parameters of its own.
    pub fn is_learned(&self) -> bool {
        matches!(self, Self::SpatialEmbedding(_))
    }

    pub fn projections(&self) -> &[Projection] {
        match self {
            Self::Pca(projections) => projections,
            Self::StateOnly | Self::SpatialEmbedding(_) => &[],
        }
    }

    /// [batch, width]. Images and proprioception have parameters each, because the policy's
    /// gradient stops at the images but not at proprioception.
    pub fn encode(
        &self,
        image_params: Views<'_>,
        proprio_params: Views<'_>,
        observations: &ObservationBatch,
        dropout: Option<&DropoutMasks>,
    ) -> Tensor {
        match (self, &observations.images) {
            (Self::StateOnly, _) => observations.proprio.shallow_clone(),
            (Self::Pca(_), Images::Projected(x)) => {
                Tensor::cat(&[&observations.proprio, &x.to_kind(Kind::Float)], 1)
            }
            (Self::Pca(projections), Images::Raw(raw)) => {
                let projected = projections.iter().zip(raw).map(|(p, x)| p.apply(x));
                let proprio = observations.proprio.shallow_clone();
                Tensor::cat(&std::iter::once(proprio).chain(projected).collect::<Vec<_>>(), 1)
            }
            (Self::SpatialEmbedding(head), Images::Raw(raw)) => {
                head.encode(image_params, proprio_params, raw, &observations.proprio, dropout)
            }
            (_, images) => unreachable!("the batch was checked; {} came", images.kind()),
        }
    }
}

/// One embedding per camera in camera order, then proprioception (hil-serl.md 2.4).
#[derive(Debug)]
pub struct SpatialEmbedding {
    cameras: Vec<CameraEmbedding>,
    proprio: DenseNormTanh,
}

impl SpatialEmbedding {
    fn encode(
        &self,
        image_params: Views<'_>,
        proprio_params: Views<'_>,
        raw: &[Tensor],
        proprio: &Tensor,
        dropout: Option<&DropoutMasks>,
    ) -> Tensor {
        let mut parts: Vec<Tensor> = self
            .cameras
            .iter()
            .zip(raw)
            .enumerate()
            .map(|(at, (camera, x))| {
                camera.forward(image_params, x, dropout.map(|masks| &masks[at]))
            })
            .collect();
        parts.push(self.proprio.forward(proprio_params, proprio));
        Tensor::cat(&parts, 1)
    }
}

/// Spatial embedding and bottleneck of one camera's features.
#[derive(Debug)]
pub(crate) struct CameraEmbedding {
    /// [channels, height * width, kernels]
    kernel: ParamId,
    channels: i64,
    bottleneck: DenseNormTanh,
}

impl CameraEmbedding {
    pub fn new(
        layout: &mut Layout,
        name: &str,
        [channels, area, kernels]: [i64; 3],
        bottleneck: i64,
    ) -> Self {
        let embedded = channels * kernels;
        let spatial = Init::LecunNormal { fan_in: area * channels };
        let dense = Init::LecunNormal { fan_in: embedded };
        Self {
            kernel: layout.add(format!("{name}/spatial"), &[channels, area, kernels], spatial),
            channels,
            bottleneck: DenseNormTanh::new(
                layout,
                &format!("{name}/bottleneck"),
                [embedded, bottleneck],
                dense,
            ),
        }
    }

    /// z[b, c, f] = sum over places p of x[b, c, p] K[c, p, f]; then dropout, bottleneck.
    pub fn forward(&self, params: Views<'_>, x: &Tensor, dropout: Option<&Tensor>) -> Tensor {
        let batch = x.size()[0];
        let x = x.to_kind(Kind::Float).view([batch, self.channels, -1]).transpose(0, 1);
        let z = x.matmul(&params[self.kernel]); // [channels, batch, kernels]
        let z = z.transpose(0, 1).reshape([batch, -1]);
        let z = match dropout {
            Some(mask) => z * mask,
            None => z,
        };
        self.bottleneck.forward(params, &z)
    }
}

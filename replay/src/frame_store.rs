//! Camera frames in memory, each once, as LZ4-compressed bytes: row `r` of camera `c` is what
//! camera `c` showed in observation `r`. Knows neither steps nor episodes.

use wire::{CameraSpec, Frame};

#[derive(Debug)]
pub struct FrameStore {
    cameras: Vec<CameraFrames>,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct CameraFrames {
    width: u16,
    height: u16,
    packed: Vec<Box<[u8]>>,
}

impl FrameStore {
    pub fn new(cameras: &[CameraSpec]) -> Self {
        let cameras = cameras
            .iter()
            .map(|c| CameraFrames { width: c.width, height: c.height, packed: Vec::new() })
            .collect();
        Self { cameras, scratch: Vec::new() }
    }

    /// Adds one row. `frames` fit the cameras; the caller has checked it.
    pub fn push(&mut self, frames: &[Frame]) {
        for (camera, frame) in self.cameras.iter_mut().zip(frames) {
            let room = lz4_flex::block::get_maximum_output_size(frame.pixels.len());
            if self.scratch.len() < room {
                self.scratch.resize(room, 0);
            }
            let len = lz4_flex::block::compress_into(&frame.pixels, &mut self.scratch)
                .expect("there is room for the worst case");
            camera.packed.push(self.scratch[..len].into());
        }
    }

    /// Unpacks one frame.
    pub fn get(&self, row: usize, camera: usize) -> Frame {
        let camera = &self.cameras[camera];
        let mut pixels = vec![0; usize::from(camera.width) * usize::from(camera.height) * 3];
        lz4_flex::block::decompress_into(&camera.packed[row], &mut pixels)
            .expect("we packed it, into as many bytes");
        Frame::new(camera.width, camera.height, pixels).expect("the size is the camera's")
    }

    /// Memory that the packed frames take.
    pub fn bytes(&self) -> usize {
        self.cameras.iter().flat_map(|c| &c.packed).map(|packed| packed.len()).sum()
    }
}

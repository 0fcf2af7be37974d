//! A simulated camera: it shows the present moment whenever it is asked.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::bounded;
use drivers::{Camera, CameraError, CameraInfo, Stamped};
use wire::{Frame, Timestamp};

use crate::{
    renderer::{Order, Renderer},
    world::{Scenery, SharedWorld},
};

#[derive(Debug)]
pub struct SimCamera {
    world: SharedWorld,
    renderer: Arc<Renderer>,
    info: CameraInfo,
    /// MuJoCo's number of the camera.
    id: usize,
    /// The last picture and what it shows: nothing is drawn twice.
    last: Option<(Scenery, Frame)>,
}

impl SimCamera {
    pub(crate) fn new(
        world: SharedWorld,
        renderer: Arc<Renderer>,
        info: CameraInfo,
        id: usize,
    ) -> Self {
        Self { world, renderer, info, id, last: None }
    }

    fn given(&self, at: Timestamp, frame: Frame) -> Stamped<Frame> {
        if let Some(truth) = &self.world.lock().truth_log {
            truth.pictured(at, &self.info.name, &frame);
        }
        Stamped { at, value: frame }
    }

    fn fault(&self, reason: &str) -> CameraError {
        CameraError::Device { camera: self.info.name.clone(), reason: reason.into() }
    }
}

impl Camera for SimCamera {
    fn info(&self) -> &CameraInfo {
        &self.info
    }

    /// Draws the world as it is now; its age is therefore zero.
    fn latest(&mut self, _max_age: Duration) -> Result<Stamped<Frame>, CameraError> {
        let (at, scenery) = self.world.lock().scenery();
        if let Some((shown, frame)) = &self.last
            && *shown == scenery
        {
            return Ok(self.given(at, frame.clone()));
        }
        let (width, height) = (self.info.width, self.info.height);
        // A channel for each order: the answer to one that was given up must not be taken for the
        // next one's.
        let (reply, answer) = bounded(1);
        let order =
            Order { scenery: scenery.clone(), camera: self.id, size: (width, height), reply };
        if !self.renderer.order(order) {
            return Err(self.fault("the render thread has ended"));
        }
        let pixels = match answer.recv_timeout(DRAWING_MAX) {
            Ok(Ok(pixels)) => pixels,
            Ok(Err(reason)) => return Err(self.fault(&reason)),
            Err(_) => return Err(self.fault("the render thread does not answer")),
        };
        let frame = Frame::new(width, height, pixels)
            .ok_or_else(|| self.fault("the picture has a wrong size"))?;
        self.last = Some((scenery, frame.clone()));
        Ok(self.given(at, frame))
    }
}

/// Software rendering on a busy machine takes tens of milliseconds; this is a thread that hangs.
const DRAWING_MAX: Duration = Duration::from_secs(10);

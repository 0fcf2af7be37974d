//! Where the newest lies. Putting something there never waits for a page, and nobody reads a backlog.

use std::sync::Arc;

use tokio::sync::watch;
use wire::Frame;

use crate::scene::{Curves, Scene};

/// Shared with the server; whoever fills it holds a clone.
#[derive(Clone, Debug)]
pub struct Board {
    pub(crate) scene: Arc<watch::Sender<Arc<Scene>>>,
    pub(crate) curves: Arc<watch::Sender<Arc<Curves>>>,
    pub(crate) pictures: Arc<watch::Sender<Arc<Vec<Frame>>>>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            scene: Arc::new(watch::Sender::default()),
            curves: Arc::new(watch::Sender::default()),
            pictures: Arc::new(watch::Sender::default()),
        }
    }
}

impl Board {
    pub fn show(&self, scene: Scene) {
        self.scene.send_replace(Arc::new(scene));
    }

    pub fn draw(&self, curves: Curves) {
        self.curves.send_replace(Arc::new(curves));
    }

    /// What the policy sees, one per camera.
    pub fn picture(&self, frames: Vec<Frame>) {
        self.pictures.send_replace(Arc::new(frames));
    }
}

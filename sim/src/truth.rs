//! What only a simulator knows, for tests and reports. Nothing that learns may look here.

use wire::geometry::Pose;

use crate::world::SharedWorld;

#[derive(Clone, Debug)]
pub struct Truth {
    pub(crate) world: SharedWorld,
}

impl Truth {
    /// Base frame.
    pub fn tcp_pose(&self) -> Pose {
        self.world.lock().tcp_pose()
    }

    /// The middle of the socket's top, z up, base frame.
    pub fn socket_pose(&self) -> Pose {
        self.world.lock().socket_pose()
    }

    /// The TCP, or the stick, in the socket frame: z is negative inside the slot.
    pub fn relative_pose(&self) -> Pose {
        self.world.lock().relative_pose()
    }

    /// The middle of the cube, or of the end of the stick's plug, base frame; in a scene with one.
    pub fn piece_pose(&self) -> Option<Pose> {
        self.world.lock().piece_pose()
    }

    /// Depth of the deepest contact (m); 0 without one.
    pub fn penetration_m(&self) -> f64 {
        self.world.lock().penetration_m()
    }
}

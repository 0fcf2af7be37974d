//! A camera whose pictures come late, not at all, or are the same again and again.

use std::{sync::Arc, time::Duration};

use drivers::{Camera, CameraError, CameraInfo, Stamped};
use wire::{Clock, Frame, Timestamp};

use super::{FaultKind, Faults, Late, Latency, Timeline, history::History};

pub struct FaultyCamera {
    inner: Box<dyn Camera>,
    info: CameraInfo,
    clock: Arc<dyn Clock>,
    latency: Latency,
    dropped: Vec<(f64, Timeline)>,
    frozen: Vec<((), Timeline)>,
    history: History<Frame>,
    /// What was handed out last.
    given: Option<Stamped<Frame>>,
}

impl FaultyCamera {
    pub fn new(inner: Box<dyn Camera>, faults: &Faults, clock: Arc<dyn Clock>) -> Self {
        let name = inner.info().name.clone();
        let ours = |camera: &Option<String>| camera.as_ref().is_none_or(|camera| *camera == name);
        let latency = Latency::of(faults, |of| matches!(of, Late::Camera(camera) if ours(camera)));
        let dropped = faults.timelines(|kind| match kind {
            FaultKind::FramesDropped { camera, share } if ours(camera) => Some(*share),
            _ => None,
        });
        let frozen = faults.timelines(|kind| match kind {
            FaultKind::FramesFrozen { camera } => ours(camera).then_some(()),
            _ => None,
        });
        // One that is to be caught frozen must not pass for one that may show the same again.
        let noiseless = inner.info().noiseless && frozen.is_empty();
        let info = CameraInfo { noiseless, ..inner.info().clone() };
        let (history, given) = (History::default(), None);
        Self { inner, info, clock, latency, dropped, frozen, history, given }
    }

    /// Whether the picture that is due `now` does not come.
    fn is_dropped(&mut self, now: Timestamp) -> bool {
        let mut dropped = false;
        for (share, timeline) in &mut self.dropped {
            dropped |= timeline.look(now).is_active() && timeline.draw() < *share;
        }
        dropped
    }

    fn is_frozen(&mut self, now: Timestamp) -> bool {
        self.frozen.iter_mut().any(|(_, timeline)| timeline.look(now).is_active())
    }

    /// The picture that a driver with these faults would have.
    fn picture(&mut self, now: Timestamp, taken: Stamped<Frame>) -> Stamped<Frame> {
        self.history.push(taken.clone());
        let late = self.latency.at(now);
        let (dropped, frozen) = (self.is_dropped(now), self.is_frozen(now));
        match &self.given {
            Some(given) if frozen => Stamped { at: now, value: given.value.clone() },
            Some(given) if dropped => given.clone(),
            _ if late.is_zero() => taken,
            _ => {
                let at = Timestamp(now.0.saturating_sub(late.as_nanos() as u64));
                self.history.as_of(at).unwrap_or(taken)
            }
        }
    }
}

impl Camera for FaultyCamera {
    fn info(&self) -> &CameraInfo {
        &self.info
    }

    fn latest(&mut self, max_age: Duration) -> Result<Stamped<Frame>, CameraError> {
        let taken = self.inner.latest(max_age)?;
        let now = self.clock.now();
        let picture = self.picture(now, taken);
        self.given = Some(picture.clone());
        let age = now.since(picture.at);
        if age > max_age {
            return Err(CameraError::Stale { camera: self.info().name.clone(), age });
        }
        Ok(picture)
    }
}

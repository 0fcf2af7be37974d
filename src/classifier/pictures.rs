//! The frames of a few steps, looked up in the journals again.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context;
use replay::{DiskStorage, journal};
use wire::{ActorId, Frame, RecordPosition};

/// Where a frame is: which journal, whose, which step.
pub type Place = (usize, ActorId, RecordPosition);

/// What the camera at `camera` of the task saw there.
pub fn find(
    journals: &[PathBuf],
    wanted: &BTreeSet<Place>,
    camera: usize,
) -> anyhow::Result<BTreeMap<Place, Frame>> {
    let mut found = BTreeMap::new();
    for (source, folder) in journals.iter().enumerate() {
        if !wanted.iter().any(|place| place.0 == source) {
            continue;
        }
        for record in journal::read_only(Arc::new(DiskStorage), folder)? {
            let (_, record) = record.context("looking for pictures")?;
            let place = (source, record.actor, record.position);
            if wanted.contains(&place)
                && let Some(frame) = record.observation().and_then(|o| o.frames.get(camera))
            {
                found.insert(place, frame.clone());
            }
        }
    }
    Ok(found)
}

//! Uniform sampling of steps, with replacement. A sampled step brings its own observations, so
//! nothing sampled ever crosses an episode.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{
    store::{ReplayStore, TransitionId},
    view::View,
};

/// `n` steps of `view`; none when the view is empty.
pub fn sample(
    store: &ReplayStore,
    view: View,
    n: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<TransitionId> {
    let ids = store.view(view);
    if ids.is_empty() {
        return Vec::new();
    }
    (0..n).map(|_| ids[rng.random_range(0..ids.len())]).collect()
}

/// RLPD's symmetric sampling: the first half of the batch from the demo view, the rest from the
/// online view.
///
/// While one of the views is empty the whole batch is from the other: before anything was
/// collected online all of it is demonstrations, and without demonstrations all of it is online.
/// None when both are empty.
pub fn symmetric_sample(
    store: &ReplayStore,
    batch: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<TransitionId> {
    let (demo, online) = (store.view(View::Demo), store.view(View::Online));
    let from_demo = match (demo.is_empty(), online.is_empty()) {
        (false, false) => batch / 2,
        (false, true) => batch,
        (true, _) => 0,
    };
    let mut ids = sample(store, View::Demo, from_demo, rng);
    ids.extend(sample(store, View::Online, batch - from_demo, rng));
    ids
}

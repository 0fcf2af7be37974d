//! `reins baseline`: behaviour cloning on the demonstrations of a run, to compare with.

use std::sync::{Arc, atomic::AtomicBool};

use anyhow::Context;
use learner::{
    cloning::{CloningConfig, clone_demonstrations},
    feature_cache::{FeatureCache, FrameShifts, fit_projections},
    train_state::{AgentSetup, TrainState},
    update::{Algorithm, UpdateConfig},
};
use nets::architecture::HeadSpec;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use replay::{DiskStorage, ReplayStore, journal};
use wire::{EpisodeKind, RecordBody, WeightsHash, codec};

use crate::{
    cli::Baseline,
    evaluation::{self, Evaluation},
    parts::{self, networks},
    replace::replace_file,
    results,
    run_dir::{Configuration, RunDir},
};

/// As the recipe has it.
pub const UPDATES: u32 = 3000;

pub fn run(baseline: &Baseline) -> anyhow::Result<()> {
    let run_dir = RunDir::find(&baseline.run)?;
    let loss = train(&run_dir, &run_dir.configuration()?, baseline.updates, baseline.seed)?;
    if baseline.json {
        println!("{}", serde_json::json!({ "updates": baseline.updates, "loss": loss }));
    } else {
        println!("cloned the demonstrations: loss {loss:.4} after {} updates", baseline.updates);
        println!("measure it: reins eval {} --baseline", baseline.run.display());
    }
    Ok(())
}

/// Clones the demonstrations of a run into its baseline policy; returns the loss.
pub fn train(
    run_dir: &RunDir,
    configuration: &Configuration,
    updates: u32,
    seed: u64,
) -> anyhow::Result<f64> {
    let Configuration { task, run, .. } = configuration;
    let (device, _) = networks::prepare_device(run, run.threads.learner)?;
    let backbone = networks::backbone(task, run, device)?;
    let config = parts::learner::store_config(task, run, backbone.as_ref());
    let mut store = ReplayStore::new(parts::learner::with_room_for(run_dir, config)?);
    insert_demonstrations(run_dir, &mut store)?;
    let architecture = networks::architecture(task, run, backbone.as_ref());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let shifts = FrameShifts { most_px: run.backbone.shift_px as u8, seed };
    if let Some(backbone) = &backbone {
        let cache = FeatureCache::new(&store, &[], shifts, device);
        while cache.compute_lacking(&mut store, backbone, usize::MAX)? > 0 {}
    }
    let projections = match &architecture.head {
        HeadSpec::Pca { components, .. } => fit_projections(&store, *components, device)?,
        _ => Vec::new(),
    };
    let mut cache = FeatureCache::new(&store, &projections, shifts, device);
    let setup = AgentSetup {
        architecture,
        projections,
        backbone: backbone.as_ref().map_or(WeightsHash([0; 32]), |b| b.hash()),
    };
    let update =
        UpdateConfig { algorithm: Algorithm::HgDagger, ..parts::learner::update_config(task, run) };
    let state = TrainState::new(setup, update, seed, device);
    let config = CloningConfig { updates, batch: run.learner.batch as usize, device };
    let (policy, loss) = clone_demonstrations(state, &store, &mut cache, config, &mut rng)?;
    replace_file(&run_dir.baseline(), &codec::encode(&policy)?)?;
    Ok(loss)
}

/// The demonstrations alone: what came before the first training episode.
fn insert_demonstrations(run_dir: &RunDir, store: &mut ReplayStore) -> anyhow::Result<()> {
    for record in journal::read_only(Arc::new(DiskStorage), &run_dir.journal())? {
        let (_, record) = record.context("reading the demonstrations")?;
        if let RecordBody::EpisodeStart(start) = &record.body
            && start.kind != EpisodeKind::Demonstration
        {
            return Ok(());
        }
        store.insert(&record)?;
    }
    Ok(())
}

/// Measures the cloned policy on unseen seeds, acting by its mean.
pub fn measure(
    run_dir: &RunDir,
    configuration: &Configuration,
    seed: u64,
    shutdown: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let policy = networks::read_policy(&run_dir.baseline())?;
    let episodes = configuration.run.eval.episodes;
    eprintln!("measuring behaviour cloning in {episodes} episodes on unseen seeds");
    let wanted = Evaluation { name: results::CLONED, episodes, seed, sampled: false };
    evaluation::run(run_dir, configuration, &policy, &wanted, shutdown)?;
    Ok(())
}

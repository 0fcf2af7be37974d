//! `reins demo`: train on the simulated cell, measure, report.

use crate::{
    cli::{Demo, Page, RunChoice},
    commands::{baseline, train},
    evaluation::{self, Evaluation},
    faults,
    parts::networks,
    results,
    run_dir::RunDir,
    shutdown,
};

pub fn run(demo: &Demo) -> anyhow::Result<()> {
    let script = demo.rehearsal.faults.as_deref();
    faults::check(script)?;
    let choice = RunChoice {
        run: demo.run.clone(),
        runs: demo.runs.clone(),
        files: demo.files.clone(),
        seed: Some(demo.seed),
    };
    let (run_dir, configuration) = RunDir::open(&choice)?;
    let shutdown = shutdown::on_signal()?;
    train::in_processes(&run_dir, script, Page::default(), &shutdown)?;
    let policy = networks::read_policy(&run_dir.policy())?;
    for (name, sampled) in [(results::SAMPLED, true), (results::MEAN, false)] {
        if sampled && !configuration.run.learner.learns_spread() {
            continue;
        }
        let episodes = configuration.run.eval.episodes;
        eprintln!("measuring {episodes} episodes on unseen seeds, actions {name}");
        let wanted = Evaluation { name, episodes, seed: demo.seed, sampled };
        evaluation::run(&run_dir, &configuration, &policy, &wanted, shutdown.clone())?;
    }
    if demo.baseline {
        baseline::train(&run_dir, &configuration, baseline::UPDATES, demo.seed)?;
        baseline::measure(&run_dir, &configuration, demo.seed, shutdown)?;
    }
    results::report(&run_dir, demo.json)
}

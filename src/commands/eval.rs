//! `reins eval`: measures the policy of a run.

use tasks::{RunConfig, run::EvalActions};

use crate::{
    cli::Eval,
    evaluation::{self, Evaluation},
    parts::networks,
    report::EvaluationSummary,
    results,
    run_dir::RunDir,
    shutdown,
};

pub fn run(eval: &Eval) -> anyhow::Result<()> {
    let run_dir = RunDir::find(&eval.run)?;
    let configuration = run_dir.configuration()?;
    let RunConfig { learner, eval: settings, .. } = &configuration.run;
    let mean = eval.mean || settings.actions == EvalActions::Mean || !learner.learns_spread();
    let (name, path) = match (eval.baseline, mean) {
        (true, _) => (results::CLONED, run_dir.baseline()),
        (false, true) => (results::MEAN, run_dir.policy()),
        (false, false) => (results::SAMPLED, run_dir.policy()),
    };
    let policy = networks::read_policy(&path)?;
    let wanted = Evaluation {
        name,
        episodes: eval.episodes,
        seed: eval.seed,
        sampled: name == results::SAMPLED,
    };
    let shutdown = shutdown::on_signal()?;
    let measured = evaluation::run(&run_dir, &configuration, &policy, &wanted, shutdown)?;
    let summary =
        EvaluationSummary::new(&measured.episodes, configuration.task.period().as_secs_f64());
    if eval.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        println!("{}", results::evaluation_in_words(&summary));
        if let Some(pace) = measured.punctuality.and_then(results::punctuality_in_words) {
            println!("{pace}");
        }
        println!("next: reins report {}", run_dir.path().display());
    }
    Ok(())
}

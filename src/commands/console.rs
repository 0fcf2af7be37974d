//! `reins console RUN`: the curves of a run on the operator's page, from what lies in its folder.

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use console::{Board, Curves, EpisodeScene, Scene, Series, Settings, Subject};
use wire::{Clock, SystemClock, Timestamp};

use crate::{
    cli,
    run_dir::{Configuration, RunDir},
    shutdown,
    web_console::{self, Folder},
};

const POLL: Duration = Duration::from_millis(200);
/// How often the journal is read again while the run goes on; it holds every picture.
const EPISODES_EVERY: Duration = Duration::from_secs(60);

pub fn run(arguments: &cli::Console) -> anyhow::Result<()> {
    let run_dir = RunDir::find(&arguments.run)?;
    let configuration = run_dir.configuration()?;
    let shutdown = shutdown::on_signal()?;
    let (board, clock) = (Board::default(), Arc::new(SystemClock::new()));
    let subject = Subject {
        cameras: Vec::new(),
        axes: Vec::new(),
        live: false,
        ..web_console::subject(&run_dir, &configuration)
    };
    let server = console::Console::start(Settings {
        port: arguments.port,
        subject,
        board: board.clone(),
        hand: None,
        events: Vec::new(),
        take_event: Box::new(|_| Err("nothing acts here".into())),
        host_clock: clock.clone(),
    })?;
    eprintln!("curves of run {}: {} (Ctrl-C ends it)", run_dir.name(), server.url());
    let mut folder = Folder::new(run_dir.metrics());
    let mut curves = Curves::default();
    let mut read_at: Option<Timestamp> = None;
    // The learner has gone on since.
    let mut is_behind = false;
    while !shutdown.load(Ordering::Relaxed) {
        let now = clock.now();
        let news = folder.news(now);
        is_behind |= news.is_some();
        let reads = read_at.is_none_or(|at| is_behind && now.since(at) >= EPISODES_EVERY);
        if reads {
            (read_at, is_behind) = (Some(now), false);
            let (rates, scene) = episodes(&run_dir, &configuration)?;
            curves.rates = rates;
            board.show(scene);
        }
        let is_new = reads || news.is_some();
        if let Some(news) = news {
            curves.losses = web_console::losses(news);
        }
        if is_new {
            board.draw(curves.clone());
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// What the learner's journal says by now.
fn episodes(
    run_dir: &RunDir,
    configuration: &Configuration,
) -> anyhow::Result<(Vec<Series>, Scene)> {
    let (rates, episodes) = web_console::past(run_dir)?;
    let demonstrations = episodes
        .iter()
        .filter(|episode| episode.kind == wire::EpisodeKind::Demonstration && episode.succeeded());
    let scene = Scene {
        activity: "what lies in the run's folder; `reins train --console` shows a run live".into(),
        episode: episodes.last().map(|last| EpisodeScene {
            number: last.index,
            kind: "last episode".into(),
            steps: last.steps,
        }),
        demonstrations: u32::try_from(demonstrations.count()).unwrap_or(u32::MAX),
        demonstrations_wanted: configuration.run.budget.demo_episodes,
        env_steps: episodes.last().map_or(0, |last| last.env_step),
        env_steps_wanted: configuration.run.budget.env_steps,
        rates: rates.last().copied().unwrap_or_default(),
        ..Scene::default()
    };
    Ok((web_console::rates(&rates), scene))
}

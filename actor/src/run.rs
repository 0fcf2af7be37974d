//! Puts the actor together and runs it to its end.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use tasks::TaskConfig;
use wire::Hello;

use crate::{
    arms::Arms,
    config::{ActorConfig, ActorParts, Coupling},
    control_loop::{ControlLoop, Devices, Tally},
    courier::Courier,
    error::ActorError,
    hub::Hub,
    outbox::Outbox,
    policy_feed::{PolicyFeed, PolicySlot},
    recorder::{Patience, RecordChannel, RecordSink, record_all},
    schedule::Progress,
    senses::Senses,
    staging::{self, Staging},
    uplink::Uplink,
    workers::{Worker, feed_all, send_all},
};

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    pub progress: Progress,
    /// Training steps of the run.
    pub env_steps: u64,
    /// Records that are still in the outbox; they are sent when the actor is started again.
    pub unsent: u64,
    /// Ended because it was told to, not because its program was done.
    pub interrupted: bool,
}

/// Drives the cell through its program; returns when that is done, when `shutdown` is set, or when
/// it cannot go on. The arm is stopped in each case.
///
/// Begins when a learner has welcomed the actor: what does not fit is refused before anything moves.
pub fn run(
    config: ActorConfig,
    parts: ActorParts,
    shutdown: Arc<AtomicBool>,
) -> Result<Summary, ActorError> {
    let arms =
        Arms::new(&parts.task, parts.arms, config.teleop_same_max).map_err(ActorError::Cell)?;
    let has_judge = parts.judge.is_some();
    check_program(&config, &parts.task, parts.operator.is_some(), has_judge, &arms)?;
    let senses = Senses::new(
        &parts.task,
        parts.cameras,
        &config.camera_age_max,
        config.camera_skew_max,
        config.stale_frames_max,
        parts.encoder,
    )
    .map_err(ActorError::Cell)?;
    let (outbox, opened) =
        Outbox::open(parts.storage, &config.outbox_dir, config.outbox, config.actor)?;
    if opened.taken_in > 0 {
        tracing::info!(records = opened.taken_in, "took in what was in hand when the actor ended");
    }
    if let Some(episode) = opened.interrupted {
        tracing::info!(%episode, "closed an episode that was cut short when the actor ended");
    }
    let hello = Hello {
        actor: config.actor,
        run: config.run.clone(),
        task_hash: parts.task.hash(),
        observation: senses.spec().clone(),
        action: parts.task.action_spec(),
    };
    let slot = PolicySlot::default();
    let io = Io {
        uplink: Uplink::new(parts.link.clone(), hello, config.uplink.clone()),
        feed: PolicyFeed::new(parts.link, parts.load_policy, slot.clone(), senses.backbone()),
        hub: Hub::default(),
        outbox,
        slot,
    };
    let devices = Devices {
        clock: parts.clock,
        host_clock: parts.host_clock,
        arms,
        senses,
        fixture: parts.fixture,
        success: parts.success,
        judge: parts.judge,
        task: parts.task,
        views: parts.views,
        operator: parts.operator,
        status: parts.status,
    };
    let gauge = io.outbox.gauge();
    let status = devices.status.clone();
    let tally = match config.coupling {
        Coupling::Lockstep => in_lockstep(config, devices, io, &shutdown),
        Coupling::Threads => in_threads(config, devices, io, &shutdown),
    };
    status.end(gauge.depth());
    let tally = tally?;
    Ok(Summary {
        progress: tally.progress,
        env_steps: tally.env_steps,
        unsent: gauge.depth(),
        interrupted: shutdown.load(Ordering::SeqCst),
    })
}

fn check_program(
    config: &ActorConfig,
    task: &TaskConfig,
    has_operator: bool,
    has_judge: bool,
    arms: &Arms,
) -> Result<(), ActorError> {
    let program = &config.program;
    if config.review && !has_operator {
        let nobody = "demonstrations wait for the operator's word, and nobody can say one";
        return Err(ActorError::Cell(nobody.into()));
    }
    let driven = program.demonstrations + program.labelling;
    if driven > 0 && !arms.has_a_hand() {
        return Err(ActorError::Cell(format!(
            "{driven} episodes are to be driven by a person and there is no teleop device: name one \
             in the cell file, or ask for none"
        )));
    }
    if task.reward.classifier_file().is_some() && !has_judge {
        return Err(ActorError::Cell("the task's reward needs its classifier".into()));
    }
    Ok(())
}

/// What carries records and parameters.
struct Io {
    outbox: Outbox,
    uplink: Uplink,
    feed: PolicyFeed,
    slot: PolicySlot,
    hub: Hub,
}

fn in_lockstep(
    config: ActorConfig,
    devices: Devices,
    io: Io,
    shutdown: &AtomicBool,
) -> Result<Tally, ActorError> {
    let Io { outbox, uplink, feed, slot, hub } = io;
    let gauge = outbox.gauge();
    let courier = Courier { outbox, uplink, feed, hub: hub.clone(), waiting: VecDeque::new() };
    let sink = RecordSink::Inline(Box::new(courier));
    ControlLoop::new(config, devices, sink, slot, hub, gauge).run(shutdown)
}

fn in_threads(
    config: ActorConfig,
    devices: Devices,
    io: Io,
    shutdown: &AtomicBool,
) -> Result<Tally, ActorError> {
    let Io { outbox, uplink, feed, slot, hub } = io;
    let (outbox, hub) = (&outbox, &hub);
    let (host, drain_timeout) = (devices.host_clock.clone(), config.drain_timeout);
    let recorder_host = host.clone();
    let outbox_dir = config.outbox_dir.clone();
    let staging = Staging::open(&outbox_dir)?;
    thread::scope(|scope| {
        let (sender, records) = crossbeam_channel::bounded(config.record_queue.max(2));
        let (wake, woken) = crossbeam_channel::bounded(1);
        let recorder = Worker::start(scope, "actor-recorder", hub, move || {
            let patience = Patience { shutdown, host: &*recorder_host, timeout: drain_timeout };
            Ok(record_all(&records, outbox, &wake, hub, &patience)?)
        })?;
        let uplink = Worker::start(scope, "actor-uplink", hub, move || {
            send_all(uplink, outbox, &woken, hub, &*host, drain_timeout)
        })?;
        let policies = Worker::start(scope, "actor-policy", hub, move || feed_all(feed, hub))?;
        let control = Worker::start_control(scope, "actor-control", hub, move || {
            let sink =
                RecordSink::Channel(Box::new(RecordChannel::new(sender, outbox.gauge(), staging)));
            ControlLoop::new(config, devices, sink, slot, hub.clone(), outbox.gauge()).run(shutdown)
        })?;
        // Each ends when the one before it has let go of its end of a channel.
        let tally = control.join();
        let recorded = recorder.join();
        if recorded.is_ok() {
            staging::discard(&outbox_dir)?;
        }
        let carried = recorded.and(uplink.join());
        hub.end();
        // What stopped the others explains more than how the control loop noticed.
        carried.and(policies.join()).and(tally)
    })
}

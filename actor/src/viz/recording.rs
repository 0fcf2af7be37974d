//! Events in, rows out: one track per thing that the recording shows.

use std::{collections::VecDeque, time::Duration};

use jpeg_encoder::{ColorType, Encoder, EncodingError};
use rerun::{
    ApplicationId, Boxes3D, EncodedImage, FillMode, LineStrips3D, Points3D, RecordingStream,
    RecordingStreamBuilder, RecordingStreamResult, SeriesLines, SeriesPoints, TransformAxes3D,
    ViewCoordinates, components::MediaType, sink::SinkFlushError,
};
use wire::{
    Action, ActionSource, EpisodeEnd, EpisodeId, EpisodeKind, Frame, GateEvents, Mark, Outcome,
};

use super::{
    ROWS_TOGETHER, VizReport, VizSettings, layout,
    moment::Moment,
    spans::{self, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION},
    track::{Note, Picture, Points, State, Strip, Track, Values, position},
};
use crate::view_event::{ArmView, MomentView, PolicyLag, RecentView, StepView, ViewEvent};

/// Positions of the TCP that its trail shows.
const TRAIL_STEPS: usize = 40;

pub struct Recording {
    stream: RecordingStream,
    jpeg_quality: u8,
    tracks: Tracks,
    episode: CurrentEpisode,
    rows: usize,
    report: VizReport,
}

struct Tracks {
    cameras: Vec<Track<Picture>>,
    arms: Vec<ArmTracks>,
    driver: Track<State>,
    outcome: Track<State>,
    gate: Track<State>,
    executed: Track<Values>,
    proposed: Track<Values>,
    reward: Track<Values>,
    probability: Track<Values>,
    success: Track<Values>,
    interventions: Track<Values>,
    cycle_steps: Track<Values>,
    episode_return: Track<Values>,
    policy_version: Track<Values>,
    policy_lag: Track<Values>,
    timing: Track<Values>,
    jitter: Track<Values>,
    queues: Track<Values>,
    missed: Track<Values>,
    notes: Track<Note>,
}

/// What is drawn of one arm.
struct ArmTracks {
    arm: Track<Strip>,
    joints: Track<Points>,
    trail: Track<Strip>,
    lead: Track<Strip>,
    tcp: Track<wire::geometry::Pose>,
    target: Track<wire::geometry::Pose>,
}

impl ArmTracks {
    fn new(cell: &'static str) -> Self {
        let paths = layout::ArmPaths::of(cell);
        Self {
            arm: Track::new(paths.arm),
            joints: Track::new(paths.joints),
            trail: Track::new(paths.trail),
            lead: Track::new(paths.lead),
            tcp: Track::new(paths.tcp),
            target: Track::new(paths.target),
        }
    }

    fn add(&mut self, at: Moment, view: &ArmView, trail: &mut VecDeque<[f32; 3]>) {
        let tcp = position(&view.tcp_pose);
        self.tcp.push(at, view.tcp_pose);
        self.target.push(at, view.target_pose);
        self.lead.push(at, Strip(vec![tcp, position(&view.target_pose)]));
        let skeleton: Vec<_> = view.skeleton.iter().map(|point| point.map(|x| x as f32)).collect();
        if !skeleton.is_empty() {
            self.joints.push(at, Points(skeleton.clone()));
            self.arm.push(at, Strip(skeleton));
        }
        if trail.len() == TRAIL_STEPS {
            trail.pop_front();
        }
        trail.push_back(tcp);
        self.trail.push(at, Strip(trail.iter().copied().collect()));
    }

    fn write(&mut self, stream: &RecordingStream) -> RecordingStreamResult<()> {
        self.arm.write(stream)?;
        self.joints.write(stream)?;
        self.trail.write(stream)?;
        self.lead.write(stream)?;
        self.tcp.write(stream)?;
        self.target.write(stream)
    }
}

/// What is remembered from one event to the next.
#[derive(Default)]
struct CurrentEpisode {
    id: EpisodeId,
    kind: Option<EpisodeKind>,
    first: Option<Moment>,
    driver: Option<ActionSource>,
    gate: GateEvents,
    /// One for each arm.
    trails: Vec<VecDeque<[f32; 3]>>,
}

impl Tracks {
    fn new(cameras: &[String], arms: usize) -> Self {
        Self {
            cameras: cameras.iter().map(|name| Track::new(layout::camera(name))).collect(),
            arms: layout::CELLS.into_iter().take(arms).map(ArmTracks::new).collect(),
            driver: Track::new(layout::DRIVER),
            outcome: Track::new(layout::OUTCOME),
            gate: Track::new(layout::GATE),
            executed: Track::new(layout::EXECUTED),
            proposed: Track::new(layout::PROPOSED),
            reward: Track::new(layout::REWARD),
            probability: Track::new(layout::PROBABILITY),
            success: Track::new(layout::SUCCESS),
            interventions: Track::new(layout::INTERVENTIONS),
            cycle_steps: Track::new(layout::CYCLE_STEPS),
            episode_return: Track::new(layout::EPISODE_RETURN),
            policy_version: Track::new(layout::POLICY_VERSION),
            policy_lag: Track::new(layout::POLICY_LAG),
            timing: Track::new(layout::TIMING),
            jitter: Track::new(layout::JITTER),
            queues: Track::new(layout::QUEUES),
            missed: Track::new(layout::MISSED),
            notes: Track::new(layout::NOTES),
        }
    }

    fn write(&mut self, stream: &RecordingStream) -> RecordingStreamResult<()> {
        for camera in &mut self.cameras {
            camera.write(stream)?;
        }
        for arm in &mut self.arms {
            arm.write(stream)?;
        }
        self.driver.write(stream)?;
        self.outcome.write(stream)?;
        self.gate.write(stream)?;
        self.executed.write(stream)?;
        self.proposed.write(stream)?;
        self.reward.write(stream)?;
        self.probability.write(stream)?;
        self.success.write(stream)?;
        self.interventions.write(stream)?;
        self.cycle_steps.write(stream)?;
        self.episode_return.write(stream)?;
        self.policy_version.write(stream)?;
        self.policy_lag.write(stream)?;
        self.timing.write(stream)?;
        self.jitter.write(stream)?;
        self.queues.write(stream)?;
        self.missed.write(stream)?;
        self.notes.write(stream)
    }
}

impl Recording {
    pub fn create(settings: &VizSettings) -> RecordingStreamResult<Self> {
        let application_id = ApplicationId::new_or_unknown(settings.application_id.as_str());
        let stream = RecordingStreamBuilder::new(application_id)
            .recording_id(settings.recording_id.clone())
            .with_blueprint(layout::blueprint(&settings.cameras, arms(settings)))
            .save(&settings.path)?;
        write_what_never_changes(&stream, settings)?;
        Ok(Self {
            stream,
            jpeg_quality: settings.jpeg_quality,
            tracks: Tracks::new(&settings.cameras, arms(settings)),
            episode: CurrentEpisode::default(),
            rows: 0,
            report: VizReport::default(),
        })
    }

    pub fn add(&mut self, event: ViewEvent) -> RecordingStreamResult<()> {
        match event {
            ViewEvent::EpisodeStart { episode, kind, .. } => self.begin(episode, kind),
            ViewEvent::Step(step) => self.add_step(&step),
            ViewEvent::EpisodeEnd { env_step, end, episode_return, recent, at, .. } => {
                let at = self.moment(env_step, at);
                self.end(at, &end, episode_return, &recent);
                Ok(())
            }
            ViewEvent::Policy { version, lag, env_step, at } => {
                let at = self.moment(env_step, at);
                self.tracks.policy_version.push(at, Values(vec![version.0 as f64]));
                let PolicyLag(lag) = lag;
                let note = format!("parameters {version} drive, {lag} critic updates behind");
                self.tracks.notes.push(at, Note(note, "INFO"));
                Ok(())
            }
        }
    }

    /// Hands everything held back to the file.
    pub fn write_all(&mut self) -> RecordingStreamResult<()> {
        self.rows = 0;
        self.tracks.write(&self.stream)
    }

    /// Waits until everything is in the file.
    pub fn finish(self) -> Result<VizReport, SinkFlushError> {
        self.stream.flush_blocking()?;
        Ok(self.report)
    }

    /// Rows of training lie on the timeline of training steps, others do not.
    fn moment(&self, env_step: u64, at: MomentView) -> Moment {
        let training = self.episode.kind == Some(EpisodeKind::Training);
        Moment::new(training.then_some(env_step), self.episode.id, at)
    }

    fn begin(&mut self, id: EpisodeId, kind: EpisodeKind) -> RecordingStreamResult<()> {
        if self.episode.kind != Some(kind) {
            self.write_all()?;
        }
        self.episode = CurrentEpisode { id, kind: Some(kind), ..CurrentEpisode::default() };
        Ok(())
    }

    fn add_step(&mut self, step: &StepView) -> RecordingStreamResult<()> {
        // The start of this episode may have been dropped on the way.
        if self.episode.kind != Some(step.kind) || self.episode.id != step.episode {
            self.begin(step.episode, step.kind)?;
        }
        let at = self.moment(step.env_step, step.at);
        self.add_pictures(at, &step.frames);
        self.add_geometry(at, step);
        self.add_spans(at, step);
        self.add_plots(at, step);
        self.report.steps += 1;
        self.rows += 1;
        if self.rows >= ROWS_TOGETHER { self.write_all() } else { Ok(()) }
    }

    fn add_pictures(&mut self, at: Moment, frames: &[Frame]) {
        for (track, frame) in self.tracks.cameras.iter_mut().zip(frames) {
            match jpeg(frame, self.jpeg_quality) {
                Ok(picture) => track.push(at, Picture(picture)),
                Err(_) => self.report.pictures_lost += 1,
            }
        }
    }

    fn add_geometry(&mut self, at: Moment, step: &StepView) {
        let trails = &mut self.episode.trails;
        trails.resize_with(step.arms.len(), VecDeque::new);
        for ((tracks, view), trail) in self.tracks.arms.iter_mut().zip(&step.arms).zip(trails) {
            tracks.add(at, view, trail);
        }
    }

    fn add_spans(&mut self, at: Moment, step: &StepView) {
        let (tracks, episode) = (&mut self.tracks, &mut self.episode);
        episode.first.get_or_insert(at);
        if episode.driver != Some(step.source) {
            episode.driver = Some(step.source);
            tracks.driver.push(at, State(spans::driver(step.source).into()));
        }
        let mark = step.judgement.mark.filter(|_| step.kind != EpisodeKind::Labelling);
        match mark {
            Some(Mark::Success) => tracks.notes.push(at, Note("a person: success".into(), "INFO")),
            Some(Mark::Failure) => tracks.notes.push(at, Note("a person: failure".into(), "INFO")),
            Some(Mark::Class(_)) | None => {}
        }
        if step.takeover {
            tracks.notes.push(at, Note("a person took over".into(), "INFO"));
        }
        if episode.gate != step.gate_events {
            episode.gate = step.gate_events;
            let changed = spans::gate(step.gate_events);
            if !changed.is_empty() {
                tracks.notes.push(at, Note(format!("gate: {changed}"), "WARN"));
            }
            tracks.gate.push(at, State(changed));
        }
    }

    fn add_plots(&mut self, at: Moment, step: &StepView) {
        let tracks = &mut self.tracks;
        let executed = values(&step.executed_action);
        let proposed = match &step.policy_action {
            Some(action) => values(action),
            None => vec![f64::NAN; executed.len()],
        };
        tracks.executed.push(at, Values(executed));
        tracks.proposed.push(at, Values(proposed));
        tracks.reward.push(at, Values(vec![f64::from(step.reward)]));
        if let Some(probability) = step.judgement.probability {
            tracks.probability.push(at, Values(vec![f64::from(probability)]));
        }
        tracks.policy_lag.push(at, Values(vec![step.policy_lag.0 as f64]));
        let timing = &step.timing;
        let parts = [timing.observe, timing.encode, timing.policy, timing.judge, timing.total];
        tracks.timing.push(at, Values(parts.map(milliseconds).to_vec()));
        tracks.jitter.push(at, Values(vec![milliseconds(step.jitter)]));
        let queues = vec![step.outbox_depth as f64, step.views_dropped as f64];
        tracks.queues.push(at, Values(queues));
        tracks.missed.push(at, Values(vec![step.missed_deadlines as f64]));
    }

    fn end(&mut self, at: Moment, end: &EpisodeEnd, episode_return: f32, recent: &RecentView) {
        self.report.episodes += 1;
        let (tracks, episode) = (&mut self.tracks, &mut self.episode);
        let Some(kind) = episode.kind else { return };
        let outcome = spans::outcome(kind, end);
        if let Some(first) = episode.first.take() {
            tracks.outcome.push(first, State(outcome.into()));
            for span in [&mut tracks.outcome, &mut tracks.driver, &mut tracks.gate] {
                span.push(at, State(String::new()));
            }
        }
        let name = spans::kind(kind);
        let text = format!(
            "{name} episode {} ended after {} steps, {} by a person: {outcome}",
            episode.id, end.steps, end.human_steps
        );
        tracks.notes.push(at, Note(text, "INFO"));
        tracks.episode_return.push(at, Values(vec![f64::from(episode_return)]));
        if end.outcome == Outcome::Success {
            tracks.cycle_steps.push(at, Values(vec![f64::from(end.steps)]));
        }
        if kind != EpisodeKind::Training {
            return;
        }
        if let (Some(alone), Some(helped)) = (recent.success_autonomous, recent.success_assisted) {
            tracks.success.push(at, Values(vec![f64::from(alone), f64::from(helped)]));
        }
        if let Some(rate) = recent.intervention_rate {
            tracks.interventions.push(at, Values(vec![f64::from(rate)]));
        }
    }
}

/// How many arms are drawn.
fn arms(settings: &VizSettings) -> usize {
    settings.workspaces.len().max(1)
}

fn write_arm(
    stream: &RecordingStream,
    paths: &layout::ArmPaths,
    workspace: Option<&([f64; 3], [f64; 3])>,
) -> RecordingStreamResult<()> {
    stream.log_static(paths.cell, &ViewCoordinates::RIGHT_HAND_Z_UP())?;
    let strip = |color, radius: f32| {
        LineStrips3D::update_fields().with_colors([color]).with_radii([radius])
    };
    stream.log_static(paths.arm.as_str(), &strip(GREY, 0.012))?;
    stream.log_static(paths.trail.as_str(), &strip(SKY, 0.0015))?;
    stream.log_static(paths.lead.as_str(), &strip(VERMILION, 0.0015))?;
    let points =
        |color, radius: f32| Points3D::update_fields().with_colors([color]).with_radii([radius]);
    stream.log_static(paths.joints.as_str(), &points(BLUE, 0.02))?;
    stream.log_static(paths.tcp.as_str(), &TransformAxes3D::new(0.06))?;
    stream.log_static(paths.target.as_str(), &TransformAxes3D::new(0.03))?;
    let target = Points3D::new([[0.0, 0.0, 0.0]]).with_colors([VERMILION]).with_radii([0.006]);
    stream.log_static(paths.target_point.as_str(), &target)?;
    if let Some((min, max)) = workspace {
        let middle = std::array::from_fn::<_, 3, _>(|i| ((min[i] + max[i]) / 2.0) as f32);
        let half = std::array::from_fn::<_, 3, _>(|i| ((max[i] - min[i]) / 2.0) as f32);
        let workspace = Boxes3D::from_centers_and_half_sizes([middle], [half])
            .with_colors([GREEN])
            .with_radii([0.001])
            .with_fill_mode(FillMode::MajorWireframe);
        stream.log_static(paths.workspace.as_str(), &workspace)?;
    }
    Ok(())
}

/// Colours, names, axes: written once, valid at all times.
fn write_what_never_changes(
    stream: &RecordingStream,
    settings: &VizSettings,
) -> RecordingStreamResult<()> {
    for name in &settings.cameras {
        let jpeg = EncodedImage::update_fields().with_media_type(MediaType::jpeg());
        stream.log_static(layout::camera(name), &jpeg)?;
    }
    for (arm, cell) in layout::CELLS.into_iter().take(arms(settings)).enumerate() {
        write_arm(stream, &layout::ArmPaths::of(cell), settings.workspaces.get(arm))?;
    }
    stream.log_static(layout::DRIVER, &spans::driver_colors())?;
    stream.log_static(layout::OUTCOME, &spans::outcome_colors())?;

    let lines = |names: &[&str], colors: &[rerun::Color]| {
        SeriesLines::new()
            .with_names(names.iter().copied())
            .with_colors(colors.iter().copied())
            .with_widths(std::iter::repeat_n(1.5_f32, names.len()))
    };
    let palette = [BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY];
    let dimensions: Vec<_> = settings.action_names.iter().map(String::as_str).collect();
    let colors: Vec<_> = palette.iter().copied().cycle().take(dimensions.len()).collect();
    stream.log_static(layout::EXECUTED, &lines(&dimensions, &colors))?;
    stream.log_static(layout::PROPOSED, &lines(&dimensions, &colors))?;
    stream.log_static(layout::REWARD, &lines(&["reward"], &[GREEN]))?;
    stream.log_static(layout::PROBABILITY, &lines(&["probability"], &[PURPLE]))?;
    stream.log_static(layout::SUCCESS, &lines(&["alone", "with help"], &[BLUE, ORANGE]))?;
    stream.log_static(layout::INTERVENTIONS, &lines(&["interventions"], &[VERMILION]))?;
    let dots = SeriesPoints::new().with_colors([BLUE]).with_marker_sizes([3.0]);
    stream.log_static(layout::CYCLE_STEPS, &dots.with_names(["steps to success"]))?;
    stream.log_static(layout::EPISODE_RETURN, &lines(&["return"], &[GREEN]))?;
    stream.log_static(layout::POLICY_VERSION, &lines(&["policy version"], &[PURPLE]))?;
    stream.log_static(layout::POLICY_LAG, &lines(&["policy lag"], &[PURPLE]))?;
    stream.log_static(
        layout::TIMING,
        &lines(
            &["observe", "encode", "policy", "classifier", "total"],
            &[SKY, GREEN, BLUE, PURPLE, VERMILION],
        ),
    )?;
    stream.log_static(layout::JITTER, &lines(&["jitter"], &[VERMILION]))?;
    stream.log_static(layout::QUEUES, &lines(&["outbox", "dropped views"], &[BLUE, ORANGE]))?;
    stream.log_static(layout::MISSED, &lines(&["missed deadlines"], &[VERMILION]))
}

fn jpeg(frame: &Frame, quality: u8) -> Result<Vec<u8>, EncodingError> {
    let mut file = Vec::with_capacity(frame.pixels.len() / 4);
    Encoder::new(&mut file, quality).encode(
        &frame.pixels,
        frame.width,
        frame.height,
        ColorType::Rgb,
    )?;
    Ok(file)
}

fn values(action: &Action) -> Vec<f64> {
    action.as_slice().iter().map(|x| f64::from(*x)).collect()
}

fn milliseconds(duration: Duration) -> f64 {
    1e3 * duration.as_secs_f64()
}

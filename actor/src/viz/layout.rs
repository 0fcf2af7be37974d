//! Names of what is in the recording, and how the viewer lays it out: cameras at the left, the arm
//! in the middle, curves at the right, who drove below.

use rerun::blueprint::{
    Blueprint, BlueprintPanel, ContainerLike, Grid, Horizontal, SelectionPanel, Spatial2DView,
    Spatial3DView, StateTimelineView, Tabs, TextLogView, TimePanel, TimeSeriesView, Vertical,
    components::PanelState,
};

use super::moment::ENV_STEP;

/// What surrounds each arm, in its own base frame.
pub const CELLS: [&str; 2] = ["cell", "second"];
pub const DRIVER: &str = "spans/driver";
pub const OUTCOME: &str = "spans/outcome";
pub const GATE: &str = "spans/gate";
pub const EXECUTED: &str = "action/executed";
pub const PROPOSED: &str = "action/proposed";
pub const REWARD: &str = "reward";
pub const PROBABILITY: &str = "classifier/probability";
pub const SUCCESS: &str = "progress/success";
pub const INTERVENTIONS: &str = "progress/interventions";
pub const CYCLE_STEPS: &str = "progress/steps";
pub const EPISODE_RETURN: &str = "progress/return";
pub const POLICY_VERSION: &str = "policy/version";
pub const POLICY_LAG: &str = "policy/lag";
pub const TIMING: &str = "health/timing";
pub const JITTER: &str = "health/jitter";
pub const QUEUES: &str = "health/queues";
pub const MISSED: &str = "health/missed";
pub const NOTES: &str = "notes";

pub fn camera(name: &str) -> String {
    format!("camera/{name}")
}

/// Where what is drawn of an arm lies.
pub struct ArmPaths {
    pub cell: &'static str,
    pub arm: String,
    pub joints: String,
    pub trail: String,
    pub tcp: String,
    pub target: String,
    pub target_point: String,
    pub lead: String,
    pub workspace: String,
}

impl ArmPaths {
    pub fn of(cell: &'static str) -> Self {
        let at = |name: &str| format!("{cell}/{name}");
        Self {
            cell,
            arm: at("arm"),
            joints: at("joints"),
            trail: at("trail"),
            tcp: at("tcp"),
            target: at("target"),
            target_point: at("target/point"),
            lead: at("lead"),
            workspace: at("workspace"),
        }
    }
}

/// The layout of the whole recording, the learner's part included: whichever of its files comes
/// first, the picture is the same.
pub fn blueprint(cameras: &[String], arms: usize) -> Blueprint {
    let pictures = cameras
        .iter()
        .map(|name| Spatial2DView::new(name.as_str()).with_origin(camera(name)).into());
    let middle = Vertical::new([
        spatial(arms),
        plot("action: executed", &[EXECUTED]),
        plot("action: proposed by the policy", &[PROPOSED]),
    ])
    .with_row_shares([3.0, 1.3, 1.3]);
    let curves = Tabs::new([progress().into(), learning().into(), health().into()]);
    let above = Horizontal::new([
        Vertical::new(pictures).into(),
        ContainerLike::from(middle),
        ContainerLike::from(curves),
    ])
    .with_column_shares([1.0, 1.7, 2.0]);
    let below = StateTimelineView::new("who drives, what the gate does, how episodes end")
        .with_contents(["/spans/**"]);
    Blueprint::new(Vertical::new([above.into(), below.into()]).with_row_shares([4.0, 1.0]))
        .with_auto_views(false)
        .with_blueprint_panel(BlueprintPanel::from_state(PanelState::Collapsed))
        .with_selection_panel(SelectionPanel::from_state(PanelState::Collapsed))
        .with_time_panel(TimePanel::new().with_state(PanelState::Collapsed).with_timeline(ENV_STEP))
}

/// Nobody knows how two arms stand to each other, so each has a view of its own.
fn spatial(arms: usize) -> ContainerLike {
    let view = |name: &str, cell: &str| Spatial3DView::new(name).with_origin(cell).into();
    if arms < 2 {
        return view("arm, target and workspace", CELLS[0]);
    }
    let names = ["first arm, target and workspace", "second arm, target and workspace"];
    let views = names.iter().zip(CELLS).map(|(name, cell)| view(name, cell));
    Horizontal::new(views.collect::<Vec<ContainerLike>>()).into()
}

fn progress() -> Grid {
    Grid::new([
        plot("success, last 20 episodes", &[SUCCESS]),
        plot("steps driven by a person, last 20 episodes", &[INTERVENTIONS]),
        plot("steps to success", &[CYCLE_STEPS]),
        plot("reward", &[REWARD]),
        plot("success as the classifier sees it", &[PROBABILITY]),
    ])
    .with_grid_columns(2)
    .with_name("progress")
}

/// Names as the learner's recording has them.
fn learning() -> Grid {
    Grid::new([
        plot("Q and its target", &["learner/values"]),
        plot("critic loss", &["learner/critic_loss"]),
        plot("actor loss", &["learner/actor_loss"]),
        plot("entropy", &["learner/entropy"]),
        plot("temperature", &["learner/temperature"]),
        plot("updates per env step", &["learner/utd_ratio"]),
        plot("updates per second", &["learner/updates_per_s"]),
        plot("milliseconds per update", &["learner/timing"]),
    ])
    .with_grid_columns(2)
    .with_name("learning")
}

fn health() -> Grid {
    Grid::new([
        plot("milliseconds per step", &[TIMING]),
        plot("jitter (ms)", &[JITTER]),
        plot("outbox and dropped views", &[QUEUES]),
        plot("missed deadlines", &[MISSED]),
        plot("policy lag (critic updates)", &[POLICY_LAG]),
        TextLogView::new("notes").with_contents([format!("/{NOTES}")]).into(),
    ])
    .with_grid_columns(2)
    .with_name("health")
}

fn plot(name: &str, paths: &[&str]) -> ContainerLike {
    let contents = paths.iter().map(|path| format!("/{path}"));
    TimeSeriesView::new(name).with_contents(contents).into()
}

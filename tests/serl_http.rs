//! `reins serve-cell`: foreign code drives it by HIL-SERL's contract, and a run reaches its arm through
//! it alone.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use wire::{Record, RecordBody};

use crate::support::{
    DEMONSTRATIONS, ENV_STEPS, Ledger, Process, Workplace, assert_success, free_endpoint, real_time,
};

const USB_CELL: &str = include_str!("../configs/cells/sim-usb.toml");
const USB_TASK: &str = include_str!("../configs/tasks/usb-insertion.toml");
const CLIENT_CELL: &str = include_str!("../configs/cells/serl-http-ram.toml");
/// By which HIL-SERL's environment asks.
const PACKAGE: &str = "requests==2.34.2";

/// A served cell, and where.
struct Served {
    process: Process,
    url: String,
}

fn serve(workplace: &Workplace, words: &[&str]) -> Served {
    let mut command =
        workplace.reins(&["serve-cell", "--listen", "127.0.0.1:0", "--socket", "rest"]);
    command.args(["--cell", "served.toml", "--task", "task.toml"]).args(words);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let url = said.trim().rsplit(' ').next().unwrap_or_default().to_owned();
    assert!(url.starts_with("http://127.0.0.1:"), "it said {said:?}");
    Served { process: Process(Some(child)), url }
}

/// The cell of whoever drives it.
fn client_cell(workplace: &Workplace, served: &Served) -> String {
    CLIENT_CELL
        .replace("http://127.0.0.1:5000", &served.url)
        .replace("reins-device.sock", &workplace.path("rest").to_string_lossy())
}

#[test]
fn python_drives_a_served_cell_as_hil_serls_environment_does() {
    let Some(python) = python() else { return };
    let workplace = Workplace::new();
    workplace.write("served.toml", USB_CELL);
    workplace.write("task.toml", USB_TASK);
    let served = serve(&workplace, &[]);
    let mut peer = Command::new(python);
    peer.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serl_http_peer.py"));
    let output = peer.arg(&served.url).output().unwrap();
    assert_success(&peer, &output);
    println!("{}", String::from_utf8_lossy(&output.stdout));
    served.process.signal("TERM");
    served.process.finish();
}

/// Any Python 3 will do; with `cargo xtask test --hardware-sims` one that has `requests`.
fn python() -> Option<PathBuf> {
    const WHAT: &str = "HIL-SERL's requests from Python";
    if env::var_os(peers::HARDWARE_SIMS).is_some() {
        return peers::hardware_sim(WHAT, &[PACKAGE]);
    }
    match Command::new("python3").arg("--version").output() {
        Ok(_) => Some("python3".into()),
        Err(error) => {
            peers::skip(WHAT, &format!("python3: {error}"));
            None
        }
    }
}

/// The whole path of a run, its arm reached over HTTP alone, in the cell's own time.
#[test]
fn a_run_reaches_its_arm_by_hil_serls_contract_alone() {
    let workplace = Workplace::new();
    workplace.write("served.toml", include_str!("../configs/cells/sim-ram.toml"));
    let served = serve(&workplace, &["--paced"]);
    workplace.write("cell.toml", &client_cell(&workplace, &served));
    workplace.must(workplace.reins_on_run(&["train"], "http"));
    let ledger = Ledger::of(&workplace.run("http").records());
    assert_eq!(ledger.demonstrations, DEMONSTRATIONS);
    // The episode in which the last one falls is driven to its end.
    assert!(ledger.training_steps >= ENV_STEPS, "{ledger:?}");
    served.process.signal("TERM");
    served.process.finish();
}

/// Steps of the run in real time; this variable asks for more.
const REAL_TIME_STEPS: (&str, u64) = ("REINS_REAL_TIME_STEPS", 120);

/// Ten times a second with the arm, the camera and the hand in another process.
#[test]
fn in_real_time_the_steps_keep_their_period_over_http() {
    let (variable, steps) = REAL_TIME_STEPS;
    let steps = env::var(variable).map_or(steps, |steps| steps.parse().unwrap());
    let workplace = Workplace::with_run(&real_time::run(steps, &free_endpoint()));
    workplace.write("served.toml", include_str!("../configs/cells/sim-ram.toml"));
    let served = serve(&workplace, &[]);
    workplace.write("cell.toml", &client_cell(&workplace, &served).replace("simulated", "real"));
    workplace.must(workplace.reins_on_run(&["train"], "http"));
    let records = workplace.run("http").records();
    let mut periods: Vec<f64> = records.windows(2).filter_map(period_ms).collect();
    periods.sort_by(f64::total_cmp);
    let share = |share: f64| periods[((periods.len() - 1) as f64 * share) as usize];
    let missed = periods.iter().filter(|period| **period > 150.0).count();
    let (middle, most, longest) = (share(0.5), share(0.99), share(1.0));
    // Past the test harness, which keeps what a passing test prints.
    let _ = writeln!(
        std::io::stderr(),
        "serl-http at 10 Hz: {} periods, p50 {middle:.1} ms, p99 {most:.1} ms, max {longest:.1} ms, \
         {missed} deadlines missed",
        periods.len()
    );
    assert!((middle - 100.0).abs() < 10.0, "the period is {middle} ms");
    assert!(missed * 5 < periods.len(), "{missed} of {} deadlines were missed", periods.len());
    served.process.signal("TERM");
    served.process.finish();
}

/// Between the beginnings of two steps of one episode.
fn period_ms(records: &[Record]) -> Option<f64> {
    let [before, after] = records else { return None };
    match (&before.body, &after.body) {
        (RecordBody::Step(a), RecordBody::Step(b)) => {
            Some(b.started_at.since(a.started_at).as_secs_f64() * 1e3)
        }
        _ => None,
    }
}

#[test]
fn a_served_cell_is_not_open_to_the_network_by_mistake() {
    let workplace = Workplace::new();
    let mut command = workplace.reins(&["serve-cell", "--listen", "0.0.0.0:0"]);
    command.args(["--cell", "cell.toml", "--task", "task.toml"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("--insecure"), "{said}");
}

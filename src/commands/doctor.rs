//! `reins doctor`: checks a configuration and this machine, and says how to mend what is wrong.

use std::net::TcpListener;

use anyhow::bail;
use serde::Serialize;
use tasks::{Finding, RunConfig, Severity, doctor};

use crate::{
    cli::{Doctor, Files},
    parts::{self, cell::Cell, link, networks},
    run_dir::Configuration,
};

/// Below this a run does not start well: actor and learner take a core each.
const CORES_MIN: usize = 2;

#[derive(Serialize)]
struct Row<'a> {
    severity: String,
    what: &'a str,
    remedy: &'a str,
}

pub fn run(doctor: &Doctor) -> anyhow::Result<()> {
    let mut findings = examine(&doctor.files);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    if doctor.json {
        let rows: Vec<Row<'_>> = findings
            .iter()
            .map(|f| Row { severity: f.severity.to_string(), what: &f.what, remedy: &f.remedy })
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        findings.iter().for_each(|finding| println!("{finding}"));
        if findings.is_empty() {
            println!("all is well");
        }
    }
    let errors = findings.iter().filter(|f| f.severity == Severity::Error).count();
    if errors > 0 {
        bail!("{errors} of {} findings must be mended before a run", findings.len());
    }
    Ok(())
}

fn examine(files: &Files) -> Vec<Finding> {
    let configuration = match Configuration::load(files) {
        Ok(configuration) => configuration,
        Err(error) => return vec![failure(&error, "Mend the file and ask again")],
    };
    let Configuration { cell, task, run, .. } = &configuration;
    let mut findings = doctor::examine(cell, task, run);
    findings.extend(machine(run));
    findings.extend(parts::machine::examine(cell, task, run));
    findings.extend(cell.teleops().flat_map(parts::teleop::examine));
    // Devices and networks are only tried when nothing speaks against it.
    if findings.iter().all(|finding| finding.severity != Severity::Error) {
        findings.extend(devices_and_networks(&configuration));
    }
    findings
}

fn machine(run: &RunConfig) -> Vec<Finding> {
    let mut findings = Vec::new();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < CORES_MIN {
        findings.push(Finding::new(
            Severity::Warning,
            format!("this machine has {cores} core; actor and learner want one each"),
            "Expect about half the speed",
        ));
    }
    for file in doctor::needed_files(run).iter().filter(|file| !file.is_file()) {
        findings.push(Finding::new(
            Severity::Error,
            format!("the weights {} are not there", file.display()),
            "Run `cargo xtask setup` for EfficientNet-Lite0's, see docs/setup.md for ResNet-10's, or \
             say weights = \"random\" in the run file",
        ));
    }
    findings.extend(link::examine(&run.link).into_iter().map(|error| {
        let what = format!("link.certificates: {error}");
        Finding::new(Severity::Error, what, "See docs/security.md")
    }));
    let address = run.link.endpoint.split_once('/').map_or("", |(_, address)| address);
    if link::may_listen(&run.link)
        && let Err(error) = TcpListener::bind(address)
    {
        findings.push(Finding::new(
            Severity::Error,
            format!("the learner cannot listen at {}: {error}", run.link.endpoint),
            "Stop the other learner, or choose another link.endpoint in the run file",
        ));
    }
    findings
}

fn devices_and_networks(configuration: &Configuration) -> Vec<Finding> {
    let Configuration { cell, task, run, .. } = configuration;
    let mut findings = Vec::new();
    let networks = networks::prepare_device(run, run.threads.learner).and_then(|(device, why)| {
        findings.push(Finding::new(Severity::Note, why, "Nothing need be done"));
        parts::actor::Networks::load(configuration, device)
    });
    if let Err(error) = networks {
        let remedy =
            "Run `cargo xtask setup` for weights, `reins classifier train` for a classifier";
        findings.push(failure(&error, remedy));
    }
    if let Err(error) = Cell::start(cell, task, run.seed) {
        findings.push(failure(&error, "Mend the cell file or the machine"));
    }
    findings
}

fn failure(error: &anyhow::Error, remedy: &str) -> Finding {
    Finding::new(Severity::Error, format!("{error:#}"), remedy)
}

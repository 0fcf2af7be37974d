//! One module per command: takes its arguments apart and starts what they ask for.

mod actor;
mod baseline;
mod certs;
mod classifier;
mod compare;
mod console;
mod demo;
mod device;
mod doctor;
mod eval;
mod export;
mod import;
mod joint_reset;
mod learner;
mod new;
mod probe;
mod record;
mod report;
mod resume;
mod serve_cell;
mod train;
mod video;

use crate::cli::{Arguments, Command};

pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::New(new) => new::run(&new),
        Command::Demo(demo) => demo::run(&demo),
        Command::Record(record) => record::run(&record),
        Command::Train(train) => train::run(&train),
        Command::Resume(resume) => resume::run(&resume),
        Command::Learner(process) => learner::run(&process),
        Command::Actor(process) => actor::run(&process),
        Command::Eval(eval) => eval::run(&eval),
        Command::Baseline(baseline) => baseline::run(&baseline),
        Command::Export(exported) => export::run(&exported),
        Command::Import(imported) => import::run(&imported),
        Command::Report(report) => report::run(&report),
        Command::Compare(compare) => compare::run(&compare),
        Command::Console(console) => console::run(&console),
        Command::View(view) => crate::view::run(crate::run_dir::RunDir::find(&view.run)?.path()),
        Command::Device(device) => device::run(&device),
        Command::ServeCell(serve) => serve_cell::run(&serve),
        Command::JointReset(reset) => joint_reset::run(&reset),
        Command::Classifier(classifier) => classifier::run(&classifier.command),
        Command::Probe(probe) => probe::run(&probe),
        Command::Certs(certs) => certs::run(&certs),
        Command::Doctor(doctor) => doctor::run(&doctor),
    }
}

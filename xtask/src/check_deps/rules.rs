//! The table: which of our crates may use which. A new edge is a design decision.

use super::graph::Graph;
use std::collections::BTreeSet;

/// The package of the command line, whose folder is the repository itself.
pub const ROOT: &str = "reins";

const MAY_USE: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("drivers", &["wire"]),
    // The process that opens a camera: OpenCV stays out of all others.
    ("lens", &["wire", "drivers"]),
    ("sim", &["wire", "drivers"]),
    ("tasks", &["wire"]),
    ("pickle", &[]),
    ("nets", &["wire", "pickle"]),
    ("replay", &["wire"]),
    ("exchange", &["wire", "tasks", "replay", "pickle"]),
    ("actor", &["wire", "drivers", "tasks", "replay", "nets"]),
    ("learner", &["wire", "replay", "nets", "tasks"]),
    // The operator's page: what it shows and says is put together in the root.
    ("console", &["wire", "drivers"]),
    // The decoders of all, under the fuzzer; nobody uses it.
    ("fuzz", &["wire", "replay", "nets", "tasks", "exchange", "actor", "learner"]),
    (
        ROOT,
        &[
            "wire", "drivers", "sim", "tasks", "pickle", "nets", "replay", "exchange", "actor",
            "learner", "console",
        ],
    ),
    ("xtask", &[]),
    (PEERS, &[]),
];
/// Every crate's tests may use it, and nothing else.
const PEERS: &str = "peers";

const WITHOUT_LIBTORCH: &[&str] =
    &["wire", "tasks", "drivers", "lens", "replay", "pickle", "exchange", "console"];
const LIBTORCH: &[&str] = &["tch", "torch-sys"];
/// Comes with 240 libraries that are loaded at each start.
const OPENCV: &str = "opencv";
const WITH_OPENCV: &str = "lens";

pub fn violations(graph: &Graph) -> Vec<String> {
    let mut complaints = Vec::new();
    for member in graph.members() {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == member) else {
            complaints.push(format!("{member} is not in the table: add it with what it may use"));
            continue;
        };
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        let in_tests = graph.own_test_uses(member);
        for used in graph.own_uses(member).difference(&allowed) {
            if *used == PEERS && in_tests.contains(used) {
                continue;
            }
            complaints.push(format!("{member} may not use {used}"));
        }
    }
    for member in WITHOUT_LIBTORCH {
        let path = LIBTORCH.iter().find_map(|torch| graph.path_to(member, torch));
        if let Some(path) = path {
            complaints.push(format!("{member} may not reach libtorch: {}", path.join(" -> ")));
        }
    }
    for member in graph.members().filter(|member| *member != WITH_OPENCV) {
        if let Some(path) = graph.path_to(member, OPENCV) {
            complaints.push(format!("{member} may not reach OpenCV: {}", path.join(" -> ")));
        }
    }
    complaints
}

#[cfg(test)]
mod test {
    use super::*;

    const AS_DESIGNED: &str = "
        drivers -> wire
        lens -> wire drivers opencv
        sim -> wire drivers
        tasks -> wire
        nets -> wire pickle tch
        replay -> wire
        exchange -> wire tasks replay pickle
        actor -> wire drivers tasks replay nets
        learner -> wire replay nets tasks
        console -> wire drivers
        reins -> wire drivers sim tasks pickle? nets replay exchange actor learner console
        tch -> torch-sys";

    /// Adds one line to the design's graph.
    #[track_caller]
    fn check(added: &str, expected: &[&str]) {
        let members: Vec<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
        let graph = Graph::drawn(&members, &format!("{AS_DESIGNED}\n{added}"));
        assert_eq!(violations(&graph), expected);
    }

    #[test]
    fn the_design_itself_passes() {
        check("", &[]);
    }

    #[test]
    fn actor_and_learner_never_name_each_other() {
        check("actor -> learner", &["actor may not use learner"]);
        check("learner -> actor", &["learner may not use actor"]);
    }

    #[test]
    fn only_the_root_knows_the_simulation() {
        check("actor -> sim", &["actor may not use sim"]);
    }

    #[test]
    fn the_page_knows_the_actor_by_its_traits_alone() {
        check("actor -> console", &["actor may not use console"]);
        check("console -> tasks", &["console may not use tasks"]);
    }

    #[test]
    fn only_the_process_that_opens_cameras_loads_opencv() {
        check(
            "drivers -> opencv",
            &[
                "actor may not reach OpenCV: actor -> drivers -> opencv",
                "console may not reach OpenCV: console -> drivers -> opencv",
                "drivers may not reach OpenCV: drivers -> opencv",
                "reins may not reach OpenCV: reins -> drivers -> opencv",
                "sim may not reach OpenCV: sim -> drivers -> opencv",
            ],
        );
        check(
            "reins -> lens",
            &["reins may not use lens", "reins may not reach OpenCV: reins -> lens -> opencv"],
        );
    }

    #[test]
    fn foreign_peers_are_for_tests() {
        check("wire -> peers?", &[]);
        check("wire -> peers", &["wire may not use peers"]);
    }

    #[test]
    fn tests_count_as_use() {
        check("learner -> sim?", &["learner may not use sim"]);
    }

    #[test]
    fn libtorch_is_found_however_it_came() {
        check(
            "replay -> tch",
            &[
                "replay may not reach libtorch: replay -> tch",
                "exchange may not reach libtorch: exchange -> replay -> tch",
            ],
        );
        check(
            "tasks -> helper\nhelper -> torch-sys",
            &[
                "tasks may not reach libtorch: tasks -> helper -> torch-sys",
                "exchange may not reach libtorch: exchange -> tasks -> helper -> torch-sys",
            ],
        );
    }

    #[test]
    fn data_is_exchanged_without_libtorch() {
        check(
            "exchange -> nets",
            &[
                "exchange may not use nets",
                "exchange may not reach libtorch: exchange -> nets -> tch",
            ],
        );
    }

    #[test]
    fn a_crate_that_is_not_in_the_table_is_named() {
        let graph = Graph::drawn(&["wire", "extra"], "");
        assert_eq!(violations(&graph), ["extra is not in the table: add it with what it may use"]);
    }
}

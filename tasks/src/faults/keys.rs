//! Every key of a fault script.

use crate::schema::{
    Allowed::{Integer, Number, OneOf, Text},
    Key, key,
};

/// A day.
const SECONDS_MAX: f64 = 86_400.0;

pub(super) const KEYS: &[Key] = &[
    key("seed", "", Integer(0, i64::MAX), "seed of everything that is drawn"),
    key(
        "fault[].kind",
        "",
        OneOf(&[
            "latency",
            "frames_dropped",
            "frames_frozen",
            "teleop_stuck",
            "arm_reflex",
            "arm_lost",
            "link_lost",
            "disk_slow",
            "disk_full",
            "clock_jump",
        ]),
        "what goes wrong",
    )
    .required(),
    key(
        "fault[].at_s",
        "s",
        Number(0.0, SECONDS_MAX),
        "begins once, at this time of the cell's clock, which starts with the process",
    ),
    key(
        "fault[].at_step",
        "steps",
        Integer(1, 1_000_000_000),
        "begins once, when the process has driven so many steps",
    ),
    key("fault[].every_s", "s", Number(0.1, SECONDS_MAX), "begins again and again"),
    key(
        "fault[].per_minute",
        "",
        Number(0.001, 600.0),
        "begins at moments drawn from the seed, on average so often while it is not under way",
    ),
    key("fault[].for_s", "s", Number(0.01, SECONDS_MAX), "how long it lasts"),
    key(
        "fault[].of",
        "",
        OneOf(&["camera", "teleop", "arm", "link", "actor", "learner"]),
        "what is late (`camera`, `teleop`, `arm`, `link`), or whose disk it is (`actor`, \
         `learner`; both when left out)",
    ),
    key("fault[].camera", "", Text, "name of the camera; all when left out"),
    key(
        "fault[].share",
        "",
        Number(0.01, 1.0),
        "share of the pictures that are dropped; all when left out",
    ),
    key("fault[].ms", "ms", Integer(1, 60_000), "how late, or how long a sync of the disk takes"),
    key("fault[].jitter_ms", "ms", Integer(0, 60_000), "up to so much later, drawn each time"),
    key(
        "fault[].how",
        "",
        OneOf(&["fresh", "silent", "gone"]),
        "the teleop device repeats its last sample as if it were new (`fresh`, also when left \
         out), or with its true age (`silent`), or reports that it is gone (`gone`)",
    ),
    key(
        "fault[].by_s",
        "s",
        Number(-SECONDS_MAX * 365.0, SECONDS_MAX * 365.0),
        "how far the wall clock jumps; back when negative",
    ),
];

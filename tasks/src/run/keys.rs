//! Every key of a run file.

use crate::schema::{
    Allowed::{self, Bool, Either, Integer, List, Number, OneOf, Text, Vector},
    Key, key,
};

const LEARNING_RATE: Allowed = Number(1e-7, 0.1);
const COUNT: Allowed = Integer(1, 1_000_000_000);

pub(super) const KEYS: &[Key] = &[
    key(
        "preset",
        "",
        OneOf(&["reins", "hil-serl"]),
        "where defaults come from; `hil-serl` reproduces the reference",
    ),
    key("seed", "", Integer(0, i64::MAX), "seed of everything random in the run"),
    key(
        "device",
        "",
        OneOf(&["auto", "cpu", "cuda"]),
        "where networks run; `auto` takes a CUDA device if there is one",
    ),
    key("budget.env_steps", "steps", COUNT, "training steps of the run"),
    key(
        "budget.demo_episodes",
        "episodes",
        Integer(0, 100_000),
        "successful demonstrations that are recorded before training; with 0 the arm moves at random for \
         the first 300 steps",
    ),
    key(
        "learner.algorithm",
        "",
        OneOf(&["rlpd", "hg-dagger"]),
        "`rlpd` learns from values, `hg-dagger` only imitates what a person did, to compare with",
    ),
    key(
        "learner.mechanics",
        "",
        OneOf(&["reins", "hil-serl"]),
        "`hil-serl` keeps what HIL-SERL does differently from its paper, see ARCHITECTURE.md",
    ),
    key(
        "learner.batch",
        "transitions",
        Integer(2, 65_536),
        "size of a batch, half of it from the demo view; even",
    ),
    key(
        "learner.utd_ratio",
        "",
        Number(0.01, 64.0),
        "critic updates per env step; when running free `coupling.utd_cap` counts instead",
    ),
    key("learner.critic_to_actor_ratio", "", Integer(1, 1000), "critic updates per actor update"),
    key("learner.discount", "", Number(0.0, 0.9999), "discount per step"),
    key("learner.tau", "", Number(1e-6, 1.0), "rate at which target critics follow"),
    key("learner.learning_rate", "", LEARNING_RATE, "Adam's rate for policy, critics and heads"),
    key("learner.temperature_learning_rate", "", LEARNING_RATE, "Adam's rate for the temperature"),
    key("learner.ensemble", "critics", Integer(1, 32), "critics in the ensemble"),
    key("learner.subsample", "critics", Integer(1, 32), "critics whose minimum is the target"),
    key("learner.temperature_init", "", Number(1e-8, 100.0), "temperature at the start"),
    key(
        "learner.target_entropy",
        "nats",
        Either(&[OneOf(&["auto"]), Number(-1000.0, 1000.0)]),
        "entropy that the temperature steers to; `auto` is minus half the action dimensions",
    ),
    key("learner.backup_entropy", "", Bool, "whether the target counts entropy as reward"),
    key(
        "learner.q_clip",
        "",
        Either(&[OneOf(&["auto", "none"]), Vector(2, &Number(-1e9, 1e9))]),
        "bounds of the bootstrapped value; `auto` takes the returns that the reward allows",
    ),
    key(
        "learner.bc_weight",
        "",
        Number(0.0, 1000.0),
        "weight of imitation of the demo half in the actor's loss",
    ),
    key(
        "learner.grasp_margin_weight",
        "",
        Number(0.0, 1000.0),
        "weight of the grasp critic's loss where a command is worth no less than the one that the person \
         gave",
    ),
    key(
        "learner.actions",
        "",
        OneOf(&["both", "commanded", "executed"]),
        "which action of a step its value is learned for: what went into the gate, what came out, \
         or either by a coin",
    ),
    key(
        "learner.training_starts",
        "steps",
        Integer(0, 1_000_000_000),
        "env steps before the first update",
    ),
    key(
        "learner.pretrain_updates",
        "updates",
        Integer(0, 10_000_000),
        "for `hg-dagger`: updates on the demonstrations before the policy drives",
    ),
    key(
        "learner.publish_every",
        "learner steps",
        COUNT,
        "how often a new policy goes to the actor",
    ),
    key("learner.checkpoint_every", "learner steps", COUNT, "how often everything is saved"),
    key("network.hidden", "", List(&Integer(1, 8192)), "widths of the hidden layers"),
    key(
        "head.kind",
        "",
        OneOf(&["pca", "spatial-embedding"]),
        "what turns a feature map into a vector",
    ),
    key("head.pca_components", "", Integer(1, 4096), "for `pca`: length of the vector"),
    key("head.kernels", "", Integer(1, 64), "for `spatial-embedding`: kernels per channel"),
    key("head.bottleneck", "", Integer(1, 4096), "for `spatial-embedding`: length of the vector"),
    key("head.dropout", "", Number(0.0, 0.9), "for `spatial-embedding`: share that is dropped"),
    key(
        "backbone.kind",
        "",
        OneOf(&["efficientnet-lite0", "resnet10"]),
        "frozen network before the head",
    ),
    key(
        "backbone.weights",
        "",
        Text,
        "path of a PyTorch, flax or safetensors file, or `random` for weights drawn from \
         `backbone.seed`",
    ),
    key("backbone.seed", "", Integer(0, i64::MAX), "for `random` weights"),
    key(
        "backbone.image_size",
        "px",
        Integer(32, 1024),
        "frames of another size are resized to this many pixels square",
    ),
    key(
        "backbone.cut_block",
        "",
        Integer(0, 15),
        "for `efficientnet-lite0`: last block that runs, counted from 0",
    ),
    key(
        "backbone.pool",
        "",
        Integer(1, 16),
        "side of the squares of the feature map that are averaged; 1 leaves it as it is",
    ),
    key(
        "backbone.shift_variants",
        "",
        Integer(0, 16),
        "randomly shifted copies of each frame whose features are kept; 0 trains without shifts",
    ),
    key("backbone.shift_px", "px", Integer(0, 4), "largest shift, in each direction"),
    key(
        "coupling.mode",
        "",
        OneOf(&["coupled", "free", "lockstep"]),
        "`coupled` holds the UTD ratio, `free` does not wait, `lockstep` is one process for tests",
    ),
    key(
        "coupling.slack_steps",
        "steps",
        Integer(1, 1_000_000),
        "for `coupled`: how far either side may be ahead",
    ),
    key("coupling.utd_cap", "", Number(0.01, 1000.0), "for `free`: highest UTD ratio"),
    key(
        "link.endpoint",
        "",
        Text,
        "where the learner listens, `tcp/<address>:<port>` or `tls/<host>:<port>`; loopback unless \
         `tls` or `link.insecure`, see docs/security.md",
    ),
    key(
        "link.insecure",
        "",
        Bool,
        "allows an endpoint that other machines can reach, without certificates",
    ),
    key(
        "link.certificates",
        "",
        Text,
        "folder with certificates as `reins certs` makes it, for `tls`",
    ),
    key(
        "link.users",
        "",
        Text,
        "file with a line `name:password` for each role, for its owner only",
    ),
    key(
        "link.actors",
        "",
        List(&Integer(0, 65_535)),
        "actors that may append when certificates or passwords are used; without it actor 0",
    ),
    key(
        "storage.outbox_mib",
        "MiB",
        Integer(1, 1 << 20),
        "room for records that the learner has not taken; full, episodes are cut short",
    ),
    key(
        "storage.outbox_sync_ms",
        "ms",
        Integer(0, 10_000),
        "how long a record may wait to be forced to the actor's disk; 0: each at once. A power cut \
         loses what waits, a killed process loses nothing",
    ),
    key(
        "storage.segment_mib",
        "MiB",
        Integer(1, 1024),
        "size at which a file of the journal or of the outbox is closed and the next begun",
    ),
    key("threads.actor", "threads", Integer(1, 256), "libtorch threads of the actor"),
    key("threads.learner", "threads", Integer(1, 256), "libtorch threads of the learner"),
    key("eval.episodes", "episodes", Integer(1, 100_000), "episodes of an evaluation"),
    key(
        "eval.actions",
        "",
        OneOf(&["sampled", "mean"]),
        "whether evaluation draws actions, as training does, or takes their mean",
    ),
];

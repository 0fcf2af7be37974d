//! The operator's page in a real browser, with a real actor behind it. Only with
//! `cargo xtask test --browser`, and only where there is a Chromium; a test that is skipped says so.

use std::{env, path::PathBuf, thread, time::Duration};

use wire::{ActionSource, ActorId, EpisodeKind, GripperCommand, Outcome, RecordBody, RewardSource};

use crate::{
    console::{self, HOLD_WITHIN, SLACK, Scene, time_to_hold},
    support::{
        Workplace,
        browser::{self, Browser},
        page,
    },
};

const DESKTOP: [u32; 2] = [1440, 1150];
const TABLET: [u32; 2] = [820, 1180];

fn chromium() -> Option<PathBuf> {
    if env::var_os("REINS_TEST_BROWSER").is_none() {
        println!("skipped: `cargo xtask test --browser` runs it");
        return None;
    }
    let found = browser::find();
    if found.is_none() {
        println!(
            "skipped: there is no Chromium. `apt install chromium-headless-shell`, or name one in \
             the variable CHROMIUM"
        );
    }
    found
}

#[test]
fn a_person_at_a_browser_drives_pauses_and_is_lost() {
    let Some(program) = chromium() else { return };
    let (scene, device, mut watcher) = Scene::with_device();
    let (actor, address) = scene.actor(&["--device", "arm"]);
    let mut page = Browser::open(&program, &address, DESKTOP);
    page.wait_for("page.unlocked && page.scene !== null");
    page.wait_for(TRAINS);

    // A push of a key, and a look at who drives.
    page.press("t");
    let sideways = "page.scene.arm.tcp_m[1] > 0 ? 'd' : 'a'";
    let key = page.ask(sideways).as_str().unwrap().to_owned();
    page.key_down(&key);
    page.wait_for("document.getElementById('driver').textContent === 'You drive'");
    page.key_up(&key);
    page.wait_for("page.scene.driver === 'policy'");

    page.press("p");
    page.wait_for("document.getElementById('driver').textContent === 'Paused'");
    page.press("p");
    page.wait_for("page.scene.driver === 'policy'");

    check_what_is_there(&mut page);
    for size in [DESKTOP, TABLET] {
        page.resize(size, size == TABLET);
        let wide =
            page.ask("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(wide, 0, "{size:?}: the page is wider than the screen");
    }

    // The page is hidden in the middle of a push, and then its browser is killed in another.
    for is_killed in [false, true] {
        page.wait_for(TRAINS);
        let key = page.ask(sideways).as_str().unwrap().to_owned();
        page.key_down(&key);
        page.wait_for("page.scene.driver === 'human'");
        thread::sleep(Duration::from_millis(200));
        let time = if is_killed {
            page.kill();
            let time = time_to_hold(&mut watcher);
            println!("browser killed: held after {time:?}");
            assert!(time < HOLD_WITHIN + SLACK, "{time:?}");
            break;
        } else {
            page.ask(HIDE);
            time_to_hold(&mut watcher)
        };
        println!("page hidden: held after {time:?}");
        assert!(time < HOLD_WITHIN + SLACK, "{time:?}");
        assert_eq!(page.ask("page.scene.driver"), "human");
        page.key_up(&key);
        page.ask(SHOW);
        page.wait_for("page.scene.driver === 'policy'");
        assert!(page.errors.is_empty(), "{:?}", page.errors);
    }
    actor.signal("TERM");
    actor.finish();
    drop(device);
    let records = scene.workplace.run(console::RUN).records_of(ActorId(0));
    let mut kind = EpisodeKind::Demonstration;
    let driven = records.iter().filter(|record| match &record.body {
        RecordBody::EpisodeStart(start) => {
            kind = start.kind;
            false
        }
        RecordBody::Step(step) => {
            kind == EpisodeKind::Training && step.source == ActionSource::Human
        }
        RecordBody::EpisodeEnd(_) | RecordBody::Revision(_) => false,
    });
    assert!(driven.count() > 0, "nobody took over in training");
}

const CELL: &str = include_str!("../configs/cells/sim-pick-cube.toml");
const TASK: &str = include_str!("../configs/tasks/pick-cube.toml");

/// Nobody else has a hand: the first is driven, the gripper too, said to be a success and discarded, the second is said to
/// have failed and kept all the same.
#[test]
fn a_person_at_a_browser_demonstrates() {
    let Some(program) = chromium() else { return };
    let workplace = Workplace::new();
    let cell = CELL.replace("[teleop]\ndriver = \"scripted\"\n", "");
    assert_ne!(cell, CELL);
    workplace.write("cell.toml", &cell);
    workplace.write("task.toml", TASK);
    let record = ["record", "--console", "0", "--episodes", "1"];
    let (process, address) = page::serve(workplace.reins_on_run(&record, "shown"));
    let mut page = Browser::open(&program, &address, DESKTOP);
    page.wait_for("page.unlocked && page.scene !== null");
    page.press("t");
    for (number, mark, word) in [(0, "g", "c"), (1, "b", "y")] {
        let episode = format!("page.scene.episode && page.scene.episode.number === {number}");
        page.wait_for(&format!("{episode} && page.scene.kept === null"));
        page.key_down("r");
        page.wait_for("page.scene.driver === 'human' && page.scene.episode.steps > 5");
        page.press("m");
        page.wait_for("page.scene.episode.steps > 10");
        page.key_up("r");
        page.press(mark);
        page.wait_for(&format!("{episode} && page.scene.kept === {}", mark == "g"));
        let shown = "document.querySelector('[data-say=\"keep\"]').hidden === false";
        page.wait_for(shown);
        assert!(page.errors.is_empty(), "{:?}", page.errors);
        page.press(word);
    }
    process.finish();
    let records = workplace.run("shown").records_of(ActorId(0));
    let (mut ends, mut words) = (Vec::new(), Vec::new());
    let (mut driven, mut closed) = ([0, 0], [0, 0]);
    for record in &records {
        match &record.body {
            RecordBody::Step(step) => {
                let episode = record.position.episode.0 as usize;
                if let Some(action) = &step.human_action {
                    driven[episode] += 1;
                    let entry = action.as_slice().last().unwrap();
                    let says = GripperCommand::from_entry(*entry);
                    closed[episode] += u32::from(says == GripperCommand::Close);
                }
                let says = step.judgement.source == RewardSource::Person;
                assert_eq!(step.reward > 0.0, step.terminated && says && ends.is_empty());
            }
            RecordBody::EpisodeEnd(end) => ends.push(end.outcome),
            RecordBody::Revision(revision) => words.push(revision.outcome),
            RecordBody::EpisodeStart(_) => {}
        }
    }
    assert!(driven.iter().all(|steps| *steps > 4), "{driven:?}");
    assert!(closed.iter().all(|steps| (1..5).contains(steps)), "{closed:?}");
    assert_eq!(ends, [Outcome::Success, Outcome::Failure]);
    assert_eq!(words, [Outcome::Unknown, Outcome::Success]);
}

/// An episode of training has begun a moment ago.
const TRAINS: &str = "page.scene.driver === 'policy' && page.scene.episode.kind === 'training' \
                      && page.scene.episode.steps > 1 && page.scene.episode.steps < 20";

/// What a browser does when another tab comes to the front.
const HIDE: &str = "Object.defineProperty(document, 'hidden', { value: true, configurable: true }); \
                    document.dispatchEvent(new Event('visibilitychange')); true";
const SHOW: &str = "delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); \
                    true";

fn check_what_is_there(page: &mut Browser) {
    page.wait_for("!document.querySelector('#cameras figure').classList.contains('old')");
    let others = page.ask(
        "performance.getEntriesByType('resource').map(({ name }) => name)
         .filter((name) => !name.startsWith(location.origin)).join()",
    );
    assert_eq!(others, "", "the page loads from elsewhere");
    // Everything that can be pressed can be reached by the keyboard and has a name.
    let unreachable = page.ask(
        "[...document.querySelectorAll('button, input')]
         .filter((it) => it.tabIndex < 0 || !(it.getAttribute('aria-label') || it.textContent.trim()
           || (it.labels && it.labels.length)))
         .map((it) => it.outerHTML).join()",
    );
    assert_eq!(unreachable, "");
    let dead = page.ask(
        "[...document.querySelectorAll('[data-say]:not([hidden])')]
         .filter((it) => !page.events.includes(it.dataset.say)).length",
    );
    assert_eq!(dead, 0, "a button that the actor does not understand");
    assert!(page.errors.is_empty(), "{:?}", page.errors);
}

/// Takes the pictures of the documentation from the page that is served at `REINS_PHOTOGRAPH` into
/// the folder `REINS_PHOTOGRAPHS`. Not a test by itself.
#[test]
fn photographs() {
    let (Some(address), Some(folder)) =
        (env::var("REINS_PHOTOGRAPH").ok(), env::var_os("REINS_PHOTOGRAPHS").map(PathBuf::from))
    else {
        return;
    };
    let program = browser::find().expect("a Chromium");
    let mut page = Browser::open(&program, &address, DESKTOP);
    page.wait_for("page.unlocked && page.scene !== null");
    if page.ask("page.scene.demonstrations < page.scene.demonstrations_wanted") == true {
        page.wait_for("page.scene.kept === true");
        page.photograph(&folder.join("console-review.png"));
        return;
    }
    page.wait_for("page.curves !== null");
    page.wait_for(TRAINS);
    page.photograph(&folder.join("console-desktop.png"));
    page.press("t");
    page.resize(TABLET, true);
    page.dark(true);
    page.key_down("r");
    page.wait_for("document.getElementById('driver').textContent === 'You drive'");
    thread::sleep(Duration::from_millis(300));
    page.photograph(&folder.join("console-tablet.png"));
    page.key_up("r");
    page.wait_for("page.scene.driver === 'policy'");
}

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::testing::{self, task};

struct Place(TempDir);

impl Place {
    fn new(metrics: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.at("metrics.jsonl"), metrics).unwrap();
        testing::journal(&place.at("journal"), &testing::run(&task(&["wrist"])));
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn export(&self) -> Result<Exported, ExchangeError> {
        let (metrics, journal) = (self.at("metrics.jsonl"), self.at("journal"));
        let source = Source { metrics: &metrics, journal: &journal, created_unix_s: 1_700_000_000 };
        export(&source, &self.at("log"))
    }

    /// The events of the file, their checksums held against the bytes.
    fn events(&self) -> Vec<Event> {
        let bytes =
            fs::read(self.at("log/events.out.tfevents.1700000000.reins")).expect("the event file");
        let mut rest = &bytes[..];
        let mut events = Vec::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk::<8>().unwrap();
            let (sum, after) = after.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_le_bytes(*sum), masked_checksum(length));
            let (event, after) = after.split_at(u64::from_le_bytes(*length) as usize);
            let (sum, after) = after.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_le_bytes(*sum), masked_checksum(event));
            events.push(Event::decode(event).unwrap());
            rest = after;
        }
        events
    }
}

fn scalars(event: &Event) -> Vec<(&str, f32)> {
    let Some(What::Summary(summary)) = &event.what else { panic!("{event:?}") };
    let value = |scalar: &Scalar| scalar.simple_value.expect("a zero is written too");
    summary.value.iter().map(|scalar| (scalar.tag.as_str(), value(scalar))).collect()
}

/// What is known of Google's implementation: the mask of the checksum of nothing, and CRC-32C of
/// the nine digits.
#[test]
fn checksums_are_those_of_tfrecord() {
    assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    assert_eq!(masked_checksum(b""), 0xa282_ead8);
}

#[test]
fn every_number_of_metrics_and_episodes_is_there() {
    let place = Place::new(
        "{\"learner_step\":100,\"minutes\":0.5,\"critic_loss\":0.0,\"actor_loss\":null,\
         \"timings\":{\"critic_ms\":3.5}}\n",
    );
    assert_eq!(place.export().unwrap(), Exported { events: 5 });
    let events = place.events();
    assert_eq!(events[0].what, Some(What::FileVersion("brain.Event:2".into())));
    assert_eq!((events[1].step, events[1].wall_time), (100, 1_700_000_030.0));
    let expected = [
        ("learner/critic_loss", 0.0),
        ("learner/minutes", 0.5),
        ("learner/timings/critic_ms", 3.5),
    ];
    assert_eq!(scalars(&events[1]), expected);

    let demonstration = scalars(&events[2]);
    assert!(demonstration.contains(&("demonstration/success", 1.0)));
    assert!(demonstration.contains(&("demonstration/steps", 5.0)));
    assert!(demonstration.contains(&("demonstration/intervention_rate", 0.4)));
    // Steps count env steps: training alone.
    let steps: Vec<i64> = events[2..].iter().map(|event| event.step).collect();
    assert_eq!(steps, [0, 4, 4, 10]);
}

#[test]
fn a_torn_line_and_steps_done_again_are_left_out() {
    let line = |step: u64, loss: f64| {
        format!("{{\"learner_step\":{step},\"minutes\":0.0,\"critic_loss\":{loss}}}\n")
    };
    let text = [line(1, 1.0), line(2, 2.0), line(3, 3.0), line(2, 4.0), "{\"lear".into()].concat();
    let place = Place::new(&text);
    place.export().unwrap();
    let learning: Vec<_> = place.events()[1..3].iter().map(|event| event.step).collect();
    assert_eq!(learning, [1, 2]);
    assert_eq!(scalars(&place.events()[2])[0], ("learner/critic_loss", 4.0));
}

#[test]
fn a_line_that_is_no_metrics_is_named() {
    let place = Place::new("{\"learner_step\":1}\n{\"step\":2}\n");
    let error = place.export().unwrap_err().to_string();
    assert!(error.contains("metrics.jsonl") && error.contains("line 2"), "{error}");
    assert!(!place.at("log").exists());
}

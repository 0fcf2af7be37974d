use ::mcap::MessageStream;

use super::*;
use crate::testing::{self, task};

#[test]
fn cameras_steps_and_episodes_are_there_on_the_wall_clock() {
    let home = tempfile::tempdir().unwrap();
    let (journal, out) = (home.path().join("journal"), home.path().join("run.mcap"));
    let task = task(&["wrist", "side"]);
    testing::journal(&journal, &testing::run(&task));
    let exported = export(&Source { journal: &journal, task: &task }, &out).unwrap();
    assert_eq!(exported, Exported { episodes: 4, steps: 18 });

    let episodes: Vec<Episode> =
        episode::finished(&journal).unwrap().collect::<Result<_, _>>().unwrap();
    let bytes = std::fs::read(&out).unwrap();
    let mut counts = BTreeMap::new();
    let (mut steps, mut pictures) = (Vec::new(), Vec::new());
    for message in MessageStream::new(&bytes).unwrap() {
        let message = message.unwrap();
        *counts.entry(message.channel.topic.clone()).or_insert(0) += 1;
        let schema = message.channel.schema.as_ref().unwrap();
        assert_eq!(schema.encoding, "jsonschema");
        let body: Value = serde_json::from_slice(&message.data).unwrap();
        match message.channel.topic.as_str() {
            "/step" => steps.push((message.log_time, body)),
            "/camera/side" => pictures.push((message.log_time, body)),
            _ => {}
        }
    }
    let expected = [("/camera/side", 22), ("/camera/wrist", 22), ("/episode", 4), ("/step", 18)];
    assert_eq!(counts, expected.map(|(topic, count)| (topic.to_owned(), count)).into());

    let first = &episodes[0];
    let began = first.start.started_at.0;
    // Both by the actor's clock: the first observation at 1000, the first step 17 ns later.
    assert_eq!((pictures[0].0, steps[0].0), (began, began + 17));
    let step = &first.steps[0];
    assert_eq!(steps[0].1["source"], "human");
    assert_eq!(steps[0].1["executed_action"], json!(step.executed_action.as_slice()));
    assert_eq!(steps[0].1["policy_action"], Value::Null);
    let png = STANDARD.decode(pictures[0].1["data"].as_str().unwrap()).unwrap();
    assert_eq!(picture::decode(&png).as_ref(), Ok(&first.start.observation.frames[1]));
}

#[test]
fn a_run_without_episodes_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (journal, out) = (home.path().join("journal"), home.path().join("run.mcap"));
    testing::journal(&journal, &[]);
    let error = export(&Source { journal: &journal, task: &task(&[]) }, &out).unwrap_err();
    assert!(matches!(error, ExchangeError::Empty { .. }), "{error}");
    assert!(!out.exists());
}

//! What the operator types at a terminal while the arm moves: one word and Enter.

use std::{
    io::{self, BufRead, IsTerminal},
    thread,
};

use actor::OperatorCommand;
use anyhow::Context;
use crossbeam_channel::Sender;
use wire::Mark;

/// Words of the operator that wait for the control loop; more are refused aloud.
pub const QUEUE: usize = 8;
const HELP: &str = "type `stop` (emergency stop), `recover` (the arm may move again), `pause`, \
                    `start`, `success` or `failure` (ends the episode so), `end` (the episode, as \
                    neither) or `release` (the policy drives), then Enter";
const REVIEW_HELP: &str = "`keep` or `discard` the demonstration that has just ended, `undo` what was \
                           kept, or just `start` the next one";

/// Listens to the terminal; whether there is one. Where demonstrations wait for a word, any stdin will
/// do. The thread ends with the process.
pub fn listen(say: Sender<OperatorCommand>, review: bool) -> anyhow::Result<bool> {
    if !review && !io::stdin().is_terminal() {
        return Ok(false);
    }
    let help = move || {
        eprintln!("operator: {HELP}");
        if review {
            eprintln!("operator: {REVIEW_HELP}");
        }
    };
    let read = move || {
        help();
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            match command(&line, review) {
                Some(command) if say.try_send(command).is_err() => {
                    eprintln!("operator: {command:?} was not taken; say it again");
                }
                Some(_) => {}
                None => help(),
            }
        }
    };
    thread::Builder::new()
        .name("operator".into())
        .spawn(read)
        .context("listening to the operator")?;
    Ok(true)
}

fn command(line: &str, review: bool) -> Option<OperatorCommand> {
    match line.trim() {
        "stop" => Some(OperatorCommand::EmergencyStop),
        "recover" => Some(OperatorCommand::Recover),
        "pause" => Some(OperatorCommand::Pause),
        "start" => Some(OperatorCommand::Resume),
        "success" => Some(OperatorCommand::Mark(Mark::Success)),
        "failure" => Some(OperatorCommand::Mark(Mark::Failure)),
        "end" => Some(OperatorCommand::EndEpisode),
        "release" => Some(OperatorCommand::Release),
        "keep" if review => Some(OperatorCommand::Keep),
        "discard" if review => Some(OperatorCommand::Discard),
        "undo" if review => Some(OperatorCommand::Undo),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_commands_and_anything_else_is_none() {
        let command = |line| command(line, false);
        assert_eq!(command(" stop \r\n"), Some(OperatorCommand::EmergencyStop));
        assert_eq!(command("recover"), Some(OperatorCommand::Recover));
        assert_eq!(command("pause"), Some(OperatorCommand::Pause));
        assert_eq!(command("start"), Some(OperatorCommand::Resume));
        assert_eq!(command("end"), Some(OperatorCommand::EndEpisode));
        assert_eq!(command("release"), Some(OperatorCommand::Release));
        assert_eq!(command("success"), Some(OperatorCommand::Mark(Mark::Success)));
        assert_eq!(command("failure"), Some(OperatorCommand::Mark(Mark::Failure)));
        assert_eq!(command("stopp"), None);
        assert_eq!(command(""), None);
        assert_eq!(command("keep"), None);
    }

    #[test]
    fn a_word_on_a_demonstration_is_understood_where_one_is_waited_for() {
        assert_eq!(command("keep", true), Some(OperatorCommand::Keep));
        assert_eq!(command("discard", true), Some(OperatorCommand::Discard));
        assert_eq!(command("undo", true), Some(OperatorCommand::Undo));
        assert_eq!(command("start", true), Some(OperatorCommand::Resume));
    }
}

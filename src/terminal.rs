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

/// Listens to the terminal; whether there is one. The thread ends with the process.
pub fn listen(say: Sender<OperatorCommand>) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    let read = move || {
        eprintln!("operator: {HELP}");
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            match command(&line) {
                Some(command) if say.try_send(command).is_err() => {
                    eprintln!("operator: {command:?} was not taken; say it again");
                }
                Some(_) => {}
                None => eprintln!("operator: {HELP}"),
            }
        }
    };
    thread::Builder::new()
        .name("operator".into())
        .spawn(read)
        .context("listening to the operator")?;
    Ok(true)
}

fn command(line: &str) -> Option<OperatorCommand> {
    match line.trim() {
        "stop" => Some(OperatorCommand::EmergencyStop),
        "recover" => Some(OperatorCommand::Recover),
        "pause" => Some(OperatorCommand::Pause),
        "start" => Some(OperatorCommand::Resume),
        "success" => Some(OperatorCommand::Mark(Mark::Success)),
        "failure" => Some(OperatorCommand::Mark(Mark::Failure)),
        "end" => Some(OperatorCommand::EndEpisode),
        "release" => Some(OperatorCommand::Release),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_commands_and_anything_else_is_none() {
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
    }
}

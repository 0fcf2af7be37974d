//! What page and server say to each other: JSON text, one message each. Pictures go as bytes, see
//! `picture`.

use serde::{Deserialize, Serialize};
use wire::GripperCommand;

use crate::{
    event::OperatorEvent,
    scene::{Curves, Scene, Subject},
};

/// A longer message ends the connection before it is read.
pub const MESSAGE_BYTES_MAX: usize = 4096;

/// What a page may say.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromPage {
    /// Shows the token: from here on the page may command.
    Unlock {
        token: String,
    },
    /// What the hand does. Said fifty times a second while it pushes, and all the time at rest.
    Hand {
        /// Rises by at least one.
        sequence: u64,
        /// By the page's own clock.
        sent_ms: f64,
        /// `None` at rest.
        push: Option<[f64; 6]>,
        /// What the hand tells the gripper, by a key that is down.
        #[serde(default)]
        gripper: Option<GripperWord>,
    },
    /// The person cannot see the page, or drives from it no more.
    LetGo,
    Say {
        event: OperatorEvent,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GripperWord {
    Close,
    Open,
}

impl From<GripperWord> for GripperCommand {
    fn from(word: GripperWord) -> Self {
        match word {
            GripperWord::Close => Self::Close,
            GripperWord::Open => Self::Open,
        }
    }
}

/// What the server says.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToPage<'a> {
    Hello {
        subject: &'a Subject,
        /// What the actor understands.
        events: &'a [OperatorEvent],
        /// Whether a hand on the page reaches the arm.
        drives: bool,
        dead_man_ms: u64,
    },
    Unlocked,
    Refused {
        why: &'a str,
    },
    /// The actor has been told.
    Took {
        event: OperatorEvent,
    },
    Scene {
        scene: &'a Scene,
    },
    Curves {
        curves: &'a Curves,
    },
}

impl ToPage<'_> {
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain fields and finite numbers are always JSON")
    }
}

/// Why a message of a page cannot be understood.
pub fn parse(text: &str) -> Result<FromPage, String> {
    let message = serde_json::from_str(text).map_err(|e| e.to_string())?;
    match message {
        FromPage::Hand { push: Some(push), .. }
            if !push.iter().all(|x: &f64| x.is_finite() && x.abs() <= 1.0) =>
        {
            Err("a push is six numbers from -1 to 1".into())
        }
        message => Ok(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(text: &str, word: &str) {
        let why = parse(text).unwrap_err();
        assert!(why.contains(word), "{why}");
    }

    #[test]
    fn each_message_of_the_page_is_understood() {
        let hand = r#"{"type":"hand","sequence":7,"sent_ms":12.5,"push":[0,0,0.5,0,0,-1]}"#;
        let push = Some([0.0, 0.0, 0.5, 0.0, 0.0, -1.0]);
        let expected = FromPage::Hand { sequence: 7, sent_ms: 12.5, push, gripper: None };
        assert_eq!(parse(hand), Ok(expected));
        let rest = r#"{"type":"hand","sequence":8,"sent_ms":12.5,"push":null,"gripper":"close"}"#;
        let gripper = Some(GripperWord::Close);
        let expected = FromPage::Hand { sequence: 8, sent_ms: 12.5, push: None, gripper };
        assert_eq!(parse(rest), Ok(expected));
        assert_eq!(parse(r#"{"type":"let_go"}"#), Ok(FromPage::LetGo));
        let said = parse(r#"{"type":"say","event":"soft_stop"}"#);
        assert_eq!(said, Ok(FromPage::Say { event: OperatorEvent::SoftStop }));
        let token = "abc".to_owned();
        let unlock = parse(r#"{"type":"unlock","token":"abc"}"#);
        assert_eq!(unlock, Ok(FromPage::Unlock { token }));
    }

    #[test]
    fn what_is_not_in_the_protocol_is_refused() {
        check_refused("", "EOF");
        check_refused(r#"{"type":"drive"}"#, "drive");
        check_refused(r#"{"type":"say","event":"jump"}"#, "jump");
        check_refused(r#"{"type":"unlock","token":"a","more":1}"#, "more");
        check_refused(r#"{"type":"let_go"} x"#, "trailing");
        let hand =
            |push: &str| format!(r#"{{"type":"hand","sequence":1,"sent_ms":1,"push":{push}}}"#);
        check_refused(&hand("[0,0,0,0,0]"), "length");
        check_refused(&hand("[0,0,0,0,0,1.5]"), "from -1 to 1");
        check_refused(&hand("[0,0,0,0,0,1e999]"), "number");
    }
}

//! What the uplink asks next, given what was answered. Holds no link and reads no clock.

use std::time::Duration;

use wire::{ActorRequest, LearnerReply, Pace, RecordPosition, Refusal, Timestamp, Welcome};

use super::UplinkError;

/// How long to wait after a failure: doubled each time, up to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub first: Duration,
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(50), most: Duration::from_secs(2) }
    }
}

impl Backoff {
    fn after(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        self.first.saturating_mul(1 << doublings).min(self.most)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Hello,
    /// What was written after this position, from the beginning for `None`.
    Append {
        after: Option<RecordPosition>,
    },
    Wait(Timestamp),
    Nothing,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq)]
pub enum Learned {
    Welcome(Welcome),
    Through(RecordPosition, Pace),
    Later(String),
    NoAnswer(String),
}

#[derive(Clone, Debug)]
pub struct UplinkState {
    backoff: Backoff,
    welcomed: bool,
    /// The last record that the learner has.
    acknowledged: Option<RecordPosition>,
    failures: u32,
    not_before: Timestamp,
}

impl UplinkState {
    pub fn new(backoff: Backoff) -> Self {
        Self {
            backoff,
            welcomed: false,
            acknowledged: None,
            failures: 0,
            not_before: Timestamp::default(),
        }
    }

    /// What to ask at `now` when everything through `written` lies in the outbox.
    pub fn next(&self, now: Timestamp, written: Option<RecordPosition>) -> Ask {
        if now < self.not_before {
            Ask::Wait(self.not_before)
        } else if !self.welcomed {
            Ask::Hello
        } else if written > self.acknowledged {
            Ask::Append { after: self.acknowledged }
        } else {
            Ask::Nothing
        }
    }

    pub fn answered(
        &mut self,
        now: Timestamp,
        request: &ActorRequest,
        reply: LearnerReply,
    ) -> Result<Learned, UplinkError> {
        match (request, reply) {
            (_, LearnerReply::Refused(refusal)) => self.refused(now, refusal),
            (ActorRequest::Hello(_), LearnerReply::Welcome(welcome)) => {
                self.resume_after(welcome.through)?;
                self.welcomed = true;
                self.failures = 0;
                // Whoever welcomes us need not be spared any longer.
                self.not_before = now;
                Ok(Learned::Welcome(welcome))
            }
            (ActorRequest::Append(_), LearnerReply::Appended { through, pace }) => {
                // A late answer never takes back what is acknowledged.
                self.acknowledged = self.acknowledged.max(Some(through));
                self.failures = 0;
                Ok(Learned::Through(through, pace))
            }
            (ActorRequest::Hello(_), _) => Err(UplinkError::Confused { asked: "hello" }),
            (ActorRequest::Append(_), _) => Err(UplinkError::Confused { asked: "append" }),
            (ActorRequest::Goodbye(_), _) => Err(UplinkError::Confused { asked: "goodbye" }),
        }
    }

    /// Nobody knows whether the request arrived: greet again and send again.
    pub fn failed(&mut self, now: Timestamp, reason: String) -> Learned {
        self.welcomed = false;
        self.postpone(now);
        Learned::NoAnswer(reason)
    }

    fn refused(&mut self, now: Timestamp, refusal: Refusal) -> Result<Learned, UplinkError> {
        let reason = match refusal {
            Refusal::Mismatch(reason) => return Err(UplinkError::Refused(reason)),
            Refusal::Gap { expected_after } if expected_after == self.acknowledged => {
                return Err(UplinkError::Missing { after: expected_after });
            }
            Refusal::Gap { expected_after } => {
                self.resume_after(expected_after)?;
                "the learner lacks earlier records".to_owned()
            }
            Refusal::Unavailable(reason) => reason,
        };
        self.postpone(now);
        Ok(Learned::Later(reason))
    }

    fn resume_after(&mut self, theirs: Option<RecordPosition>) -> Result<(), UplinkError> {
        match self.acknowledged {
            Some(ours) if theirs < Some(ours) => Err(UplinkError::Forgotten { ours, theirs }),
            _ => {
                self.acknowledged = theirs;
                Ok(())
            }
        }
    }

    fn postpone(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + self.backoff.after(self.failures);
    }
}

#[cfg(test)]
mod tests {
    use wire::{ActionSpec, ActorId, Append, EpisodeId, Hello, ObservationSpec};

    use super::*;

    fn at(index: u32) -> RecordPosition {
        RecordPosition { episode: EpisodeId(0), index }
    }

    fn state() -> UplinkState {
        UplinkState::new(Backoff {
            first: Duration::from_nanos(10),
            most: Duration::from_nanos(35),
        })
    }

    fn request(ask: Ask) -> ActorRequest {
        let actor = ActorId(0);
        match ask {
            Ask::Hello => ActorRequest::Hello(Hello {
                actor,
                run: String::new(),
                task_hash: String::new(),
                observation: ObservationSpec { proprio_dim: 0, cameras: vec![] },
                action: ActionSpec { dim: 0 },
            }),
            _ => ActorRequest::Append(Append { actor, records: vec![] }),
        }
    }

    fn welcome(through: Option<u32>) -> LearnerReply {
        LearnerReply::Welcome(Welcome { through: through.map(at), pace: Pace::default() })
    }

    fn appended(index: u32) -> LearnerReply {
        LearnerReply::Appended { through: at(index), pace: Pace::default() }
    }

    fn refused(refusal: Refusal) -> LearnerReply {
        LearnerReply::Refused(refusal)
    }

    fn append(after: Option<u32>) -> Ask {
        Ask::Append { after: after.map(at) }
    }

    /// Everything through record 5 is written. Each reply answers what is asked once the backoff
    /// has passed; `None` is a request without an answer.
    #[track_caller]
    fn check(replies: Vec<Option<LearnerReply>>, asks: &[Ask]) {
        let mut state = state();
        let mut now = Timestamp(0);
        let mut got = vec![];
        for reply in replies {
            let ask = due(&state, &mut now);
            got.push(ask);
            match reply {
                Some(reply) => {
                    state.answered(now, &request(ask), reply).unwrap();
                }
                None => {
                    state.failed(now, String::new());
                }
            }
        }
        got.push(due(&state, &mut now));
        assert_eq!(got, asks);
    }

    fn due(state: &UplinkState, now: &mut Timestamp) -> Ask {
        if let Ask::Wait(until) = state.next(*now, Some(at(5))) {
            *now = until;
        }
        state.next(*now, Some(at(5)))
    }

    #[test]
    fn hello_comes_first_then_all_that_is_written() {
        let replies = vec![Some(welcome(None)), Some(appended(5))];
        check(replies, &[Ask::Hello, append(None), Ask::Nothing]);
    }

    #[test]
    fn what_the_learner_has_is_not_sent_again() {
        check(vec![Some(welcome(Some(3)))], &[Ask::Hello, append(Some(3))]);
        check(vec![Some(welcome(Some(5)))], &[Ask::Hello, Ask::Nothing]);
    }

    #[test]
    fn a_partly_acknowledged_batch_goes_on_behind_it() {
        let replies = vec![Some(welcome(None)), Some(appended(2))];
        check(replies, &[Ask::Hello, append(None), append(Some(2))]);
    }

    #[test]
    fn after_a_failure_the_actor_greets_again_and_goes_on_where_the_learner_is() {
        let replies = vec![Some(welcome(None)), Some(appended(1)), None, Some(welcome(Some(4)))];
        let asks = [Ask::Hello, append(None), append(Some(1)), Ask::Hello, append(Some(4))];
        check(replies, &asks);
    }

    #[test]
    fn a_learner_that_cannot_store_is_asked_again() {
        let busy = refused(Refusal::Unavailable("disk full".into()));
        let replies = vec![Some(welcome(None)), Some(busy)];
        check(replies, &[Ask::Hello, append(None), append(None)]);
    }

    #[test]
    fn a_gap_is_filled_from_where_the_learner_is() {
        let gap = refused(Refusal::Gap { expected_after: Some(at(2)) });
        let replies = vec![Some(welcome(None)), Some(gap)];
        check(replies, &[Ask::Hello, append(None), append(Some(2))]);
    }

    #[test]
    fn a_gap_that_the_outbox_cannot_fill_is_an_error() {
        let mut state = state();
        state.answered(Timestamp(0), &request(Ask::Hello), welcome(Some(3))).unwrap();
        let gap = refused(Refusal::Gap { expected_after: Some(at(3)) });
        let error = state.answered(Timestamp(0), &request(append(None)), gap).unwrap_err();
        assert!(matches!(error, UplinkError::Missing { .. }), "{error}");
    }

    #[test]
    fn a_late_acknowledgement_takes_nothing_back() {
        let replies = vec![Some(welcome(Some(3))), Some(appended(2))];
        check(replies, &[Ask::Hello, append(Some(3)), append(Some(3))]);
    }

    #[test]
    fn a_mismatch_ends_it_with_the_learners_words() {
        let reply = refused(Refusal::Mismatch("another task".into()));
        let error = state().answered(Timestamp(0), &request(Ask::Hello), reply).unwrap_err();
        assert_eq!(error.to_string(), "the learner refused this actor: another task");
    }

    #[test]
    fn a_learner_that_lost_what_it_acknowledged_is_an_error() {
        let mut state = state();
        let hello = request(Ask::Hello);
        state.answered(Timestamp(0), &hello, welcome(Some(3))).unwrap();
        let error = state.answered(Timestamp(0), &hello, welcome(None)).unwrap_err();
        assert!(matches!(error, UplinkError::Forgotten { .. }), "{error}");
    }

    #[test]
    fn waits_double_up_to_the_limit_and_start_anew_after_an_answer() {
        let mut state = state();
        let mut waits = vec![];
        for _ in 0..4 {
            state.failed(Timestamp(0), String::new());
            waits.push(state.next(Timestamp(0), None));
        }
        let wait = |ns| Ask::Wait(Timestamp(ns));
        assert_eq!(waits, [wait(10), wait(20), wait(35), wait(35)]);
        state.answered(Timestamp(40), &request(Ask::Hello), welcome(None)).unwrap();
        state.failed(Timestamp(40), String::new());
        assert_eq!(state.next(Timestamp(40), None), wait(50));
    }
}

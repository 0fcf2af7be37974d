//! Brings the learner's newest parameters to the control loop, which swaps them between two steps.
//! Only the newest counts. The control loop never waits for it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, TryLockError},
};

use wire::{Pace, PolicySnapshot, PolicyVersion, WeightsHash, transport::LearnerLink};

use crate::policy::{Policy, PolicyLoader};

/// Holds the newest parameters until the control loop takes them.
#[derive(Clone, Default)]
pub struct PolicySlot(Arc<Mutex<Option<Box<dyn Policy>>>>);

impl fmt::Debug for PolicySlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("policy slot")
    }
}

impl PolicySlot {
    pub fn put(&self, policy: Box<dyn Policy>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(policy);
    }

    /// Does not wait: what is being put just now is taken next time.
    pub fn take(&self) -> Option<Box<dyn Policy>> {
        match self.0.try_lock() {
            Ok(mut slot) => slot.take(),
            Err(TryLockError::Poisoned(slot)) => slot.into_inner().take(),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

pub struct PolicyFeed {
    link: Arc<dyn LearnerLink>,
    load: PolicyLoader,
    slot: PolicySlot,
    /// The backbone whose features the actor computes.
    backbone: Option<WeightsHash>,
    newest: Option<PolicyVersion>,
}

/// What a look at the link brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fed {
    Nothing,
    /// These parameters lie in the slot.
    Ready(PolicyVersion),
    /// Parameters came that cannot be used.
    Unusable(PolicyVersion, String),
}

impl PolicyFeed {
    pub fn new(
        link: Arc<dyn LearnerLink>,
        load: PolicyLoader,
        slot: PolicySlot,
        backbone: Option<WeightsHash>,
    ) -> Self {
        Self { link, load, slot, backbone, newest: None }
    }

    /// Takes what has come, if it is newer than what is in use.
    pub fn poll(&mut self, pace: Option<Pace>) -> Fed {
        let Some(snapshot) = self.link.take_policy() else { return Fed::Nothing };
        if !self.is_newer(&snapshot, pace) {
            return Fed::Nothing;
        }
        self.newest = Some(snapshot.version);
        match self.load_checked(&snapshot) {
            Ok(policy) => {
                self.slot.put(policy);
                Fed::Ready(snapshot.version)
            }
            Err(reason) => Fed::Unusable(snapshot.version, reason),
        }
    }

    /// Versions rise. They fall only when the learner says that it stands further back itself: it
    /// has resumed from a checkpoint.
    fn is_newer(&self, snapshot: &PolicySnapshot, pace: Option<Pace>) -> bool {
        self.newest.is_none_or(|newest| {
            let learner = pace.map_or(newest, |pace| pace.policy_version);
            snapshot.version > newest.min(learner)
        })
    }

    fn load_checked(&mut self, snapshot: &PolicySnapshot) -> Result<Box<dyn Policy>, String> {
        if let Some(ours) = self.backbone
            && ours != snapshot.backbone
        {
            return Err(format!(
                "they expect features of backbone {}, this actor has {ours}: give both sides the \
                 same backbone",
                snapshot.backbone
            ));
        }
        (self.load)(snapshot).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use wire::{
        Action, LearnerStep, Observation,
        transport::{ActorLink, memory},
    };

    use super::*;
    use crate::policy::PolicyError;

    struct Still(PolicyVersion);

    impl Policy for Still {
        fn version(&self) -> PolicyVersion {
            self.0
        }
        fn learner_step(&self) -> LearnerStep {
            LearnerStep::default()
        }
        fn act(
            &mut self,
            _: &Observation,
            _: Option<&mut ChaCha8Rng>,
        ) -> Result<Action, PolicyError> {
            Ok(Action::zeros(1))
        }
    }

    fn snapshot(version: u64) -> PolicySnapshot {
        PolicySnapshot {
            version: PolicyVersion(version),
            learner_step: LearnerStep(0),
            backbone: WeightsHash([1; 32]),
            parameters: Arc::new([]),
        }
    }

    fn feed(backbone: u8) -> (memory::MemoryActorLink, PolicyFeed) {
        let (actor, learner) = memory::pair();
        let load: PolicyLoader = Box::new(|snapshot| match snapshot.version.0 {
            666 => Err("they are broken".into()),
            _ => Ok(Box::new(Still(snapshot.version))),
        });
        let slot = PolicySlot::default();
        (learner, PolicyFeed::new(Arc::new(actor), load, slot, Some(WeightsHash([backbone; 32]))))
    }

    /// Versions that come, beside the version of the learner's pace: what the slot gets.
    #[track_caller]
    fn check(coming: &[(u64, u64)], taken: &[Option<u64>]) {
        let (learner, mut feed) = feed(1);
        let got: Vec<Option<u64>> = coming
            .iter()
            .map(|&(version, pace)| {
                learner.publish_policy(&snapshot(version)).unwrap();
                let pace = Pace { policy_version: PolicyVersion(pace), ..Pace::default() };
                feed.poll(Some(pace));
                feed.slot.take().map(|policy| policy.version().0)
            })
            .collect();
        assert_eq!(got, taken);
    }

    #[test]
    fn newer_parameters_reach_the_slot() {
        check(&[(0, 0), (3, 3), (4, 3)], &[Some(0), Some(3), Some(4)]);
    }

    #[test]
    fn the_same_parameters_are_not_taken_twice() {
        check(&[(3, 3), (3, 3)], &[Some(3), None]);
    }

    #[test]
    fn versions_do_not_fall() {
        check(&[(3, 3), (2, 3)], &[Some(3), None]);
    }

    #[test]
    fn a_learner_that_resumed_further_back_is_followed() {
        check(&[(9, 9), (5, 4), (6, 6)], &[Some(9), Some(5), Some(6)]);
    }

    #[test]
    fn parameters_that_do_not_load_are_named() {
        let (learner, mut feed) = feed(1);
        learner.publish_policy(&snapshot(666)).unwrap();
        let expected = Fed::Unusable(PolicyVersion(666), "they are broken".into());
        assert_eq!(feed.poll(None), expected);
    }

    #[test]
    fn parameters_for_another_backbone_are_refused() {
        let (learner, mut feed) = feed(2);
        learner.publish_policy(&snapshot(1)).unwrap();
        assert!(matches!(feed.poll(None), Fed::Unusable(..)));
        assert!(feed.slot.take().is_none());
    }
}

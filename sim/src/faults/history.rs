//! The last readings of a device, to take a late one from.

use std::collections::VecDeque;

use drivers::Stamped;
use wire::Timestamp;

/// Enough for six seconds at ten readings a second; a later one gets the oldest.
const READINGS_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct History<T>(VecDeque<Stamped<T>>);

impl<T> Default for History<T> {
    fn default() -> Self {
        Self(VecDeque::with_capacity(READINGS_MAX))
    }
}

impl<T: Clone> History<T> {
    pub fn push(&mut self, reading: Stamped<T>) {
        if self.0.len() == READINGS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(reading);
    }

    pub fn last(&self) -> Option<Stamped<T>> {
        self.0.back().cloned()
    }

    /// The newest that was taken at `at` or before, or else the oldest.
    pub fn as_of(&self, at: Timestamp) -> Option<Stamped<T>> {
        self.0.iter().rev().find(|reading| reading.at <= at).or(self.0.front()).cloned()
    }
}

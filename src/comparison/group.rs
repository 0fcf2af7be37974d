//! Runs of one kind: the same cell, task and settings, each with its own seed.

use serde::Serialize;

use crate::report::Summary;

/// One run as it is compared.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
    pub summary: Summary,
    /// Seconds between two policy decisions.
    pub step_period_s: f64,
    /// The same for runs that differ in nothing but their seed.
    pub kind: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// What its runs' names have in common.
    pub name: String,
    pub task: String,
    /// In the order in which they were given; at least one.
    pub runs: Vec<Member>,
}

impl Member {
    /// Minutes in which a person's hand moved the arm to show how: demonstrations.
    pub fn demonstration_minutes(&self) -> f64 {
        self.summary.demonstrations.steps as f64 * self.step_period_s / 60.0
    }

    /// Minutes in which a person's hand moved the arm during training.
    pub fn intervention_minutes(&self) -> f64 {
        let steps: u64 =
            self.summary.curves.training.iter().map(|point| u64::from(point.human_steps)).sum();
        steps as f64 * self.step_period_s / 60.0
    }
}

/// Puts runs of one kind together; groups stand in the order of their first runs.
pub fn grouped(members: Vec<Member>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for member in members {
        match groups.iter_mut().find(|group| group.runs[0].kind == member.kind) {
            Some(group) => group.runs.push(member),
            None => groups.push(Group {
                name: String::new(),
                task: member.summary.task.clone(),
                runs: vec![member],
            }),
        }
    }
    for group in &mut groups {
        group.name = common_name(group.runs.iter().map(|run| run.summary.run.as_str()));
    }
    groups
}

/// What the names begin with, without the seed at its end; the first name when that is nothing.
fn common_name<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    let Some(first) = names.clone().next() else { return String::new() };
    if names.clone().count() == 1 {
        return first.to_owned();
    }
    let shared = |name: &str| {
        first.chars().zip(name.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
    };
    let length: usize = names.map(shared).min().unwrap_or(0);
    let trimmed = first[..length].trim_end_matches(|c: char| c.is_ascii_digit());
    let trimmed = trimmed.trim_end_matches(['-', '_', '.']);
    let trimmed = trimmed.strip_suffix("seed").unwrap_or(trimmed);
    let trimmed = trimmed.trim_end_matches(['-', '_', '.']);
    if trimmed.is_empty() { first.to_owned() } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], expected: &str) {
        assert_eq!(common_name(names.iter().copied()), expected, "{names:?}");
    }

    #[test]
    fn a_group_is_called_what_its_runs_have_in_common() {
        check(&["rl-seed-0", "rl-seed-1"], "rl");
        check(&["rl-10", "rl-11"], "rl");
        check(&["ram.hard_1", "ram.hard_2"], "ram.hard");
        check(&["alone-0"], "alone-0");
        check(&["a", "b"], "a");
        check(&["méthode-1", "mèthode-2"], "m");
    }
}

//! Who uses whom, as `cargo metadata` resolved it.

use anyhow::Context;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Packages by id; the ids are cargo's, names are what people read.
#[derive(Debug, Default)]
pub struct Graph {
    names: BTreeMap<String, String>,
    members: BTreeSet<String>,
    edges: BTreeMap<String, Vec<Edge>>,
}

#[derive(Debug)]
struct Edge {
    to: String,
    only_for_tests: bool,
}

impl Graph {
    pub fn from_metadata(metadata: &Value) -> anyhow::Result<Graph> {
        let mut graph = Graph::default();
        for package in list(&metadata["packages"])? {
            graph.names.insert(text(&package["id"])?, text(&package["name"])?);
        }
        for member in list(&metadata["workspace_members"])? {
            graph.members.insert(text(member)?);
        }
        for node in list(&metadata["resolve"]["nodes"])? {
            let edges = list(&node["deps"])?.iter().map(edge).collect::<anyhow::Result<_>>()?;
            graph.edges.insert(text(&node["id"])?, edges);
        }
        Ok(graph)
    }

    /// Names of our own crates.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|id| self.name(id))
    }

    /// Our own crates that this one of ours names in its manifest, for tests too.
    pub fn own_uses(&self, name: &str) -> BTreeSet<&str> {
        let edges = self.member(name).and_then(|id| self.edges.get(id)).into_iter().flatten();
        edges
            .filter(|edge| self.members.contains(&edge.to))
            .map(|edge| self.name(&edge.to))
            .collect()
    }

    /// Own crates that this one names for its tests alone.
    pub fn own_test_uses(&self, name: &str) -> BTreeSet<&str> {
        let edges = self.member(name).and_then(|id| self.edges.get(id)).into_iter().flatten();
        edges.filter(|edge| edge.only_for_tests).map(|edge| self.name(&edge.to)).collect()
    }

    /// Names from a crate of ours to a package, over everything it is built with, its own tests
    /// included; none if it is not reached.
    pub fn path_to(&self, name: &str, target: &str) -> Option<Vec<&str>> {
        let start = self.member(name)?;
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut open = vec![start];
        while let Some(id) = open.pop() {
            if self.name(id) == target {
                let back = std::iter::successors(Some(id), |id| came_from.get(id).copied());
                let mut path: Vec<&str> = back.map(|id| self.name(id)).collect();
                path.reverse();
                return Some(path);
            }
            for edge in self.edges.get(id).into_iter().flatten() {
                let counts = id == start || !edge.only_for_tests;
                if counts && edge.to != start && !came_from.contains_key(edge.to.as_str()) {
                    came_from.insert(&edge.to, id);
                    open.push(&edge.to);
                }
            }
        }
        None
    }

    fn member(&self, name: &str) -> Option<&str> {
        self.members.iter().map(String::as_str).find(|id| self.name(id) == name)
    }

    fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.get(id).map_or(id, String::as_str)
    }
}

fn edge(dependency: &Value) -> anyhow::Result<Edge> {
    let kinds = list(&dependency["dep_kinds"])?;
    Ok(Edge {
        to: text(&dependency["pkg"])?,
        only_for_tests: kinds.iter().all(|kind| kind["kind"] == "dev"),
    })
}

fn list(value: &Value) -> anyhow::Result<&Vec<Value>> {
    value.as_array().context("`cargo metadata` answered in a form that is not known")
}

fn text(value: &Value) -> anyhow::Result<String> {
    let text = value.as_str().context("`cargo metadata` answered in a form that is not known")?;
    Ok(text.to_owned())
}

#[cfg(test)]
impl Graph {
    /// From lines `user -> used used`; `used?` is used by tests alone; own crates are `members`.
    pub fn drawn(members: &[&str], lines: &str) -> Graph {
        let mut graph = Graph::default();
        graph.members.extend(members.iter().map(|&name| name.to_owned()));
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            let (user, used) = line.split_once("->").expect("an arrow in each line");
            let edge = |word: &str| Edge {
                to: word.trim_end_matches('?').to_owned(),
                only_for_tests: word.ends_with('?'),
            };
            let edges = graph.edges.entry(user.trim().to_owned()).or_default();
            edges.extend(used.split_whitespace().map(edge));
        }
        graph
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn cargo_metadata_is_understood() {
        let metadata = serde_json::json!({
            "packages": [{"id": "1", "name": "wire"}, {"id": "2", "name": "zenoh"}, {"id": "3", "name": "nets"}],
            "workspace_members": ["1", "3"],
            "resolve": {"nodes": [
                {"id": "1", "deps": [{"pkg": "2", "dep_kinds": [{"kind": null}]}]},
                {"id": "2", "deps": []},
                {"id": "3", "deps": [{"pkg": "1", "dep_kinds": [{"kind": "dev"}]}]},
            ]},
        });
        let graph = Graph::from_metadata(&metadata).unwrap();
        assert_eq!(graph.members().collect::<Vec<_>>(), ["wire", "nets"]);
        assert_eq!(graph.own_uses("nets"), BTreeSet::from(["wire"]));
        assert_eq!(graph.path_to("nets", "zenoh"), Some(vec!["nets", "wire", "zenoh"]));
        assert_eq!(graph.path_to("wire", "nets"), None);
    }

    #[test]
    fn tests_of_others_do_not_count() {
        let graph = Graph::drawn(&["a", "b"], "a -> b\nb -> c?");
        assert_eq!(graph.path_to("a", "c"), None);
        assert_eq!(graph.path_to("b", "c"), Some(vec!["b", "c"]));
    }
}

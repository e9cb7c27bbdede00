//! Advice as lines of a redis.conf, for whoever keeps the servers' files elsewhere: in a repository,
//! an image, a ConfigMap.
//!
//! What is the same on every node comes first and can be included as it stands. What differs from
//! node to node follows as comments, a block for each group of nodes that take the same lines.

use std::collections::BTreeMap;

use super::report::{Kind, Recommendation, Report};
use crate::model::NodeAddr;

/// The fragment's text.
pub fn fragment(report: &Report) -> String {
    let mut text = format!(
        "# Settings that goodcache tune proposes for {}, profile {}.\n",
        report.cluster, report.profile.profile
    );
    let settings = (report.recommendations.iter()).filter(|one| one.kind == Kind::Setting);
    let mut apart: BTreeMap<Vec<NodeAddr>, Vec<(&Recommendation, String)>> = BTreeMap::new();
    for recommendation in settings {
        let by_value = by_value(recommendation);
        match by_value.as_slice() {
            [(value, nodes)] if nodes.len() == report.nodes_answering => {
                text.push_str(&told(recommendation, value, ""));
            }
            groups => {
                for (value, nodes) in groups {
                    let lines = apart.entry(nodes.clone()).or_default();
                    lines.push((recommendation, value.clone()));
                }
            }
        }
    }
    for (nodes, lines) in &apart {
        let names: Vec<String> = nodes.iter().map(ToString::to_string).collect();
        text.push_str(&format!("\n# Only on {}:\n", names.join(", ")));
        for (recommendation, value) in lines {
            text.push_str(&told(recommendation, value, "# "));
        }
    }
    text
}

/// The lines of each node that would change, for files that are kept node by node.
pub fn node_lines(report: &Report) -> BTreeMap<NodeAddr, Vec<String>> {
    let mut nodes: BTreeMap<NodeAddr, Vec<String>> = BTreeMap::new();
    let settings = (report.recommendations.iter()).filter(|one| one.kind == Kind::Setting);
    for recommendation in settings {
        for change in &recommendation.changes {
            let node = nodes.entry(change.addr.clone()).or_default();
            node.extend(lines(&recommendation.parameter, &change.proposed));
        }
    }
    nodes
}

/// The proposed values, each with the nodes that are to have it.
fn by_value(recommendation: &Recommendation) -> Vec<(String, Vec<NodeAddr>)> {
    let mut groups: Vec<(String, Vec<NodeAddr>)> = Vec::new();
    for change in &recommendation.changes {
        match groups
            .iter_mut()
            .find(|(value, _)| *value == change.proposed)
        {
            Some((_, nodes)) => nodes.push(change.addr.clone()),
            None => groups.push((change.proposed.clone(), vec![change.addr.clone()])),
        }
    }
    groups
}

fn told(recommendation: &Recommendation, value: &str, before: &str) -> String {
    let rule = format!("\n# {}: {}\n", recommendation.rule, recommendation.why);
    let lines = lines(&recommendation.parameter, value);
    let lines = lines.iter().map(|line| format!("{before}{line}\n"));
    rule + &lines.collect::<String>()
}

/// A setting as the lines of a file. Save points and buffer limits take a line each: the first
/// resets none of the defaults, so an empty `save` comes before save points.
pub fn lines(parameter: &str, value: &str) -> Vec<String> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let each = |size: usize| words.chunks(size).map(|words| words.join(" "));
    match parameter {
        "save" if !words.is_empty() => {
            let points = each(2).map(|point| format!("save {point}"));
            std::iter::once("save \"\"".to_owned())
                .chain(points)
                .collect()
        }
        "client-output-buffer-limit" => {
            let classes = each(4).map(|class| format!("client-output-buffer-limit {class}"));
            // Both names are read by every version from 5.0 on, and `slave` is the elder.
            classes
                .map(|line| line.replace(" slave ", " replica "))
                .collect()
        }
        // Taken as one string: quoted where it is empty or has several words.
        _ if words.is_empty() => vec![format!("{parameter} \"\"")],
        _ if words.len() > 1 => vec![format!("{parameter} \"{value}\"")],
        _ => vec![format!("{parameter} {value}")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::tune::testing::Setup;

    #[test]
    fn settings_as_lines() {
        for (parameter, value, expected) in [
            ("timeout", "0", vec!["timeout 0"]),
            ("save", "", vec!["save \"\""]),
            (
                "save",
                "900 1 300 10",
                vec!["save \"\"", "save 900 1", "save 300 10"],
            ),
            (
                "notify-keyspace-events",
                "",
                vec!["notify-keyspace-events \"\""],
            ),
            (
                "tls-protocols",
                "TLSv1.2 TLSv1.3",
                vec!["tls-protocols \"TLSv1.2 TLSv1.3\""],
            ),
            (
                "client-output-buffer-limit",
                "normal 0 0 0 slave 2 1 60",
                vec![
                    "client-output-buffer-limit normal 0 0 0",
                    "client-output-buffer-limit replica 2 1 60",
                ],
            ),
        ] {
            assert_eq!(lines(parameter, value), expected, "{parameter} {value}");
        }
    }

    #[test]
    fn what_differs_from_node_to_node_is_apart() {
        let setup = Setup::sound()
            .config_of(0, "timeout", "300")
            .options(|options| {
                options.is_guide = true;
                options.only = ["guide.timeout".to_owned(), "guide.save".to_owned()].into();
            });
        let text = fragment(&setup.report());
        assert!(text.contains("\nsave 900 1\nsave 300 10\n"), "{text}");
        let apart = "# Only on 10.0.0.2:7000, 10.0.0.3:7000,";
        assert!(text.contains(apart), "{text}");
        assert!(text.contains("\n# timeout 300\n"), "{text}");
    }
}

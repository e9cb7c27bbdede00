//! Ready: the conditions that a cluster must meet before `create` calls it usable and a drill calls
//! it whole, each with the words for when it does not.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Facts, NodeId, NodeReport, Survey, View, form};

/// What keeps the nodes from knowing each other; empty when every view lists exactly these nodes,
/// introduced and linked.
pub fn missing_introductions(survey: &Survey, ids: &BTreeSet<NodeId>) -> Vec<String> {
    each_answering(survey, ids, |node, facts| {
        let known: BTreeSet<&NodeId> = facts
            .view
            .peers
            .iter()
            .filter(|peer| peer.is_member() && (peer.is_linked || peer.flags.myself))
            .map(|peer| &peer.id)
            .collect();
        let strangers = ids.iter().filter(|id| !known.contains(id)).count();
        (strangers > 0).then(|| {
            let handshakes = facts
                .view
                .peers
                .iter()
                .filter(|peer| peer.flags.handshake)
                .count();
            format!(
                "{} knows {} of {} nodes{}",
                node.addr,
                ids.len() - strangers,
                ids.len(),
                if handshakes > 0 {
                    format!(", {handshakes} in handshake")
                } else {
                    String::new()
                }
            )
        })
    })
}

/// What keeps the cluster from being usable; empty when every node says `cluster_state:ok`, all
/// views are equal, all slots are owned and every replica is in sync.
pub fn missing_for_use(survey: &Survey, ids: &BTreeSet<NodeId>) -> Vec<String> {
    if !survey.form.is_cluster() {
        return missing_alone(survey, ids);
    }
    let mut missing = missing_introductions(survey, ids);
    missing.extend(each_answering(survey, ids, |node, facts| {
        let state = facts.cluster.get("cluster_state").unwrap_or("unknown");
        (state != "ok").then(|| format!("{} says cluster_state:{state}", node.addr))
    }));
    missing.extend(each_answering(survey, ids, unsynced));
    missing.extend(differing_views(survey));
    missing
}

/// The same without cluster mode: one master, whom all others follow and every Sentinel names.
fn missing_alone(survey: &Survey, ids: &BTreeSet<NodeId>) -> Vec<String> {
    let mut missing = each_answering(survey, ids, unsynced);
    let masters: Vec<&NodeReport> = survey
        .answered()
        .filter(|(_, facts)| facts.view.myself().is_some_and(|me| me.flags.master))
        .map(|(node, _)| node)
        .collect();
    let [master] = masters[..] else {
        missing.push(format!(
            "{} servers call themselves the master",
            masters.len()
        ));
        return missing;
    };
    missing.extend(each_answering(survey, ids, |node, facts| {
        let me = facts.view.myself()?;
        let is_astray = me.flags.replica && me.master != master.id;
        is_astray.then(|| format!("{} does not follow {}", node.addr, master.addr))
    }));
    let Some(sentinels) = &survey.sentinels else {
        return missing;
    };
    let epoch = |node: &NodeReport| {
        node.facts()
            .and_then(|f| f.view.myself().map(|me| me.epoch))
    };
    if epoch(master).is_some_and(|epoch| epoch < 2) {
        missing.push(format!(
            "the Sentinels do not name {} as the master",
            master.addr
        ));
    }
    let named: BTreeSet<_> = (sentinels.watching())
        .filter_map(|(_, _, line)| form::address(line))
        .collect();
    if named.len() > 1 {
        missing.push("the Sentinels name different masters".to_owned());
    }
    for (report, facts, line) in sentinels.watching() {
        let lines = facts.replicas.iter().chain([line]);
        let down = lines
            .filter(|line| form::is_flagged(line, "s_down"))
            .count();
        if down > 0 {
            missing.push(format!(
                "the Sentinel {} holds {down} of the servers for down",
                report.addr
            ));
        }
    }
    missing
}

/// A replica whose link is down. Its own view decides that it is one: INFO may lag behind.
fn unsynced(node: &NodeReport, facts: &Facts) -> Option<String> {
    let me = facts.view.myself()?;
    let status = facts.info.get("master_link_status").unwrap_or("unknown");
    (me.flags.replica && status != "up").then(|| {
        let syncing = match facts.info.number("master_sync_in_progress") {
            Some(1) => ", syncing",
            _ => "",
        };
        format!("{} says master_link_status:{status}{syncing}", node.addr)
    })
}

/// A line for every node of the cluster that answers and fails the test, and for each that is silent.
fn each_answering(
    survey: &Survey,
    ids: &BTreeSet<NodeId>,
    test: impl Fn(&NodeReport, &Facts) -> Option<String>,
) -> Vec<String> {
    let mut lines: Vec<String> = survey
        .answered()
        .filter(|(node, _)| node.id.as_ref().is_some_and(|id| ids.contains(id)))
        .filter_map(|(node, facts)| test(node, facts))
        .collect();
    for id in ids {
        match survey.node(id) {
            Some(node) => lines.extend(
                node.silence()
                    .map(|silence| format!("{}: {silence}", node.addr)),
            ),
            None => lines.push(format!("node {} was not heard of", id.short())),
        }
    }
    lines
}

/// Who differs from the picture that most nodes share.
fn differing_views(survey: &Survey) -> Vec<String> {
    let mut camps: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for (node, facts) in survey.answered() {
        camps
            .entry(picture(&facts.view))
            .or_default()
            .push(node.addr.to_string());
    }
    let Some(largest) = camps.values().map(Vec::len).max() else {
        return Vec::new();
    };
    if camps.len() < 2 {
        return Vec::new();
    }
    let is_largest_alone = camps.values().filter(|camp| camp.len() == largest).count() == 1;
    camps
        .values()
        .filter(|camp| camp.len() < largest || !is_largest_alone)
        .map(|camp| format!("the view of {} differs from the others'", camp.join(", ")))
        .collect()
}

/// What of a view must be equal everywhere: who is what, of whom, with which slots.
fn picture(view: &View) -> Vec<String> {
    view.peers
        .iter()
        .map(|peer| {
            let master = peer.master.as_ref().map_or("-", NodeId::as_str);
            format!(
                "{} {} {master} {} {}",
                peer.id, peer.flags.master, peer.slots, peer.flags.failed
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Answer, Info, NodeAddr, Silence, Site};

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn ids() -> BTreeSet<NodeId> {
        [A, B].iter().map(|id| id.parse().unwrap()).collect()
    }

    fn node(id: &str, port: u16, view: &str, cluster: &str, info: &str) -> NodeReport {
        NodeReport {
            id: Some(id.parse().unwrap()),
            addr: NodeAddr::new("127.0.0.1", port),
            site: Site::default(),
            answer: Answer::Facts(Box::new(Facts {
                view: View::parse(view).unwrap(),
                cluster: Info::parse(cluster),
                info: Info::parse(info),
                ..Facts::default()
            })),
        }
    }

    fn sound() -> Survey {
        let a = format!(
            "{A} 127.0.0.1:1@2 myself,master - 0 0 1 connected 0-16383\n{B} 127.0.0.1:2@3 slave {A} 0 0 1 connected"
        );
        let b = format!(
            "{A} 127.0.0.1:1@2 master - 0 0 1 connected 0-16383\n{B} 127.0.0.1:2@3 myself,slave {A} 0 0 1 connected"
        );
        Survey {
            nodes: vec![
                node(A, 1, &a, "cluster_state:ok", "role:master"),
                node(
                    B,
                    2,
                    &b,
                    "cluster_state:ok",
                    "role:slave\nmaster_link_status:up",
                ),
            ],
            ..Survey::default()
        }
    }

    #[test]
    fn nothing_is_missing_from_a_sound_cluster() {
        assert_eq!(missing_for_use(&sound(), &ids()), Vec::<String>::new());
    }

    #[test]
    fn each_missing_thing_is_named() {
        let mut survey = sound();
        let lone = format!("{B} 127.0.0.1:2@3 myself,slave {A} 0 0 1 connected");
        survey.nodes[1] = node(B, 2, &lone, "cluster_state:fail", "master_link_status:down");
        let missing = missing_for_use(&survey, &ids()).join("\n");
        for words in [
            "knows 1 of 2 nodes",
            "cluster_state:fail",
            "master_link_status:down",
            "differs",
        ] {
            assert!(missing.contains(words), "{words}: {missing}");
        }
        survey.nodes[1].answer = Answer::Silent {
            silence: Silence::Timeout,
            detail: String::new(),
            after_ms: 0,
        };
        assert!(
            missing_for_use(&survey, &ids())
                .iter()
                .any(|line| line == "127.0.0.1:2: timeout")
        );
        survey.nodes.pop();
        assert!(
            missing_for_use(&survey, &ids())
                .iter()
                .any(|line| line.contains("not heard of"))
        );
    }
}

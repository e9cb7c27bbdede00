//! A master and who follows it, whether Sentinels watch or not: is there one, and do all follow it.

use super::docs::{NOT_ASKED, TWO_MASTERS, UNWATCHED, WRONG_MASTER};
use crate::health::case::Case;
use crate::health::notes::Notes;
use crate::model::words::{counted, listed};
use crate::model::{Member, Role, Subject};

/// The master that counts: what Sentinels or most replicas follow has the higher epoch.
fn chosen<'a>(case: &'a Case) -> Option<&'a Member> {
    let members = case.topology.members.values();
    members
        .filter(|m| m.role == Role::Master)
        .max_by_key(|m| m.epoch)
}

pub(super) fn masters(case: &Case, notes: &mut Notes) {
    let all: Vec<&Member> = (case.topology.members.values())
        .filter(|member| member.role == Role::Master && member.is_answering)
        .collect();
    let Some(kept) = chosen(case).filter(|_| all.len() > 1) else {
        return;
    };
    let following =
        |member: &Member| counted(case.topology.replicas(&member.id).count(), "replica");
    let told = all
        .iter()
        .map(|m| format!("{} with {}", case.name(&m.id), following(m)));
    let told = listed(told, 4);
    for other in all.iter().filter(|member| member.id != kept.id) {
        let Some(addr) = &other.addr else { continue };
        let at = kept.addr.as_ref().unwrap_or(addr);
        notes.find(
            &TWO_MASTERS,
            Subject::Node(case.name(&other.id)),
            format!(
                "calls itself a master besides {}: what is written here is not there",
                case.name(&kept.id)
            ),
            format!("INFO replication: role:master on {told}"),
            format!(
                "compare what both hold; what is only here is lost by: {}",
                case.cli(addr, &format!("replicaof {} {}", at.host, at.port))
            ),
        );
    }
}

pub(super) fn followers(case: &Case, notes: &mut Notes) {
    let Some(kept) = chosen(case) else { return };
    for replica in case.replicas() {
        let Some(master) = replica.member.and_then(|member| member.master.as_ref()) else {
            continue;
        };
        let is_chain = case
            .topology
            .member(master)
            .is_some_and(|m| m.role == Role::Replica);
        if *master == kept.id || (is_chain && case.survey.sentinels.is_none()) {
            continue;
        }
        let at = kept.addr.clone().unwrap_or_else(|| case.any_addr());
        notes.find(
            &WRONG_MASTER,
            replica.subject(),
            format!(
                "follows {} instead of {}",
                case.name(master),
                case.name(&kept.id)
            ),
            format!(
                "INFO replication: master_host:{} master_port:{}",
                replica.facts.info.get("master_host").unwrap_or("?"),
                replica.facts.info.get("master_port").unwrap_or("?")
            ),
            case.cli(
                &replica.report.addr,
                &format!("replicaof {} {}", at.host, at.port),
            ),
        );
    }
}

/// A master with replicas that nobody promotes, as far as was seen.
pub(super) fn unwatched(case: &Case, notes: &mut Notes) {
    let watchers = case
        .asked()
        .filter_map(|asked| asked.facts.watchers)
        .max()
        .unwrap_or(0);
    if watchers > 0 {
        notes.find(
            &NOT_ASKED,
            case.cluster(),
            format!(
                "{} its servers, and none was asked",
                match watchers {
                    1 => "a Sentinel watches".to_owned(),
                    n => format!("{n} Sentinels watch"),
                }
            ),
            format!("PUBSUB NUMSUB __sentinel__:hello: {watchers}"),
            "give the address of a Sentinel, such as: goodcache check HOST:26379",
        );
    } else if case.replicas().next().is_some() {
        notes.find(
            &UNWATCHED,
            case.cluster(),
            "nothing promotes a replica when the master dies",
            "PUBSUB NUMSUB __sentinel__:hello: 0, and no Sentinel was given",
            "run three Sentinels, or know by heart: replicaof no one on a replica, then tell the clients",
        );
    }
}

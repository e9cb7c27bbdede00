//! The questions put to one node, and how its answers become facts.
//!
//! The first look is one flight of questions that every server answers in constant time; what takes
//! time or writes comes after, when the other nodes are known. A question that is refused becomes a
//! line in `not_read`, never a missing row.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;

use super::access::Access;
use super::alone;
use super::error::NodeError;
use super::explore::Ask;
use super::node::{Command, Node, Reply};
use super::replies::{
    digest_of_users, number, read_clock, read_commands, read_config, read_info, read_modules,
    read_slow_log, read_stalls, read_users,
};
use super::view::read_view;
use crate::model;
use crate::model::{
    AclUser, Capabilities, Capability, Facts, Known, NotRead, OpenSlot, Probe, SETTINGS, Signs,
    Slot, SlotSet, Version, is_refusal,
};

/// A burst of PINGs stops after so long, once there are a few, so that neither far nodes nor a
/// hundred near ones at once slow a survey down.
const PING_BUDGET: Duration = Duration::from_millis(20);
const FEW_PINGS: usize = 3;

/// The clock is read in the first flight, half of whose duration is what it may be off by; after a
/// slower flight it is asked again, alone.
const SLOW_FLIGHT_MS: u64 = 100;

/// How long WAIT may wait for the replicas of a canary.
const CANARY_WAIT: Duration = Duration::from_secs(1);

/// How many COUNTKEYSINSLOT go in one flight.
const FOREIGN_BATCH: usize = 2048;

/// The sections of INFO that rules read. Left out is latencystats, whose percentiles cost the server
/// more than all others together; before 7.0 INFO takes one section only, and has none of those.
const SECTIONS: &str = "INFO server clients memory persistence stats replication cpu commandstats errorstats cluster keyspace";
const ALL_SECTIONS: &str = "INFO all";
const ALL_SETTINGS: &str = "CONFIG GET *";

/// The view, the counters and the settings, in one flight.
pub(super) async fn first_look(
    access: &Access,
    node: &Node,
    ask: &Ask,
) -> Result<Facts, NodeError> {
    let begun = Instant::now();
    let mut replies = node.ask_all(&questions(ask)).await?.into_iter();
    let mut next = || replies.next().unwrap_or(Ok(Reply::Nil));
    let (view, cluster) = (next(), next());
    let commands = (!ask.is_brief).then(&mut next);
    let mut info = next();
    if matches!(&info, Err(NodeError::Server { said, .. }) if said.contains("syntax")) {
        info = node.say(ALL_SECTIONS).await;
    }
    let mut facts = Facts {
        certificate_days_left: node.certificate_days_left(),
        ..Facts::default()
    };
    facts.keep(Probe::Info, info, |facts, reply| {
        facts.info = read_info(&reply);
    });
    let (mut no_view, mut no_clients) = (None, None);
    match view {
        Ok(reply) => {
            facts.view = read_view(node.addr(), &reply)?;
            facts.keep(Probe::ClusterInfo, cluster, |facts, reply| {
                facts.cluster = read_info(&reply);
            });
        }
        Err(error) => {
            no_view = Some(words(&error));
            no_clients = stand_alone(access, node, &mut facts, error).await?;
        }
    }
    if !ask.is_brief {
        let mut settings = next();
        if matches!(&settings, Err(NodeError::Server { said, .. }) if said.contains("arguments")) {
            settings = node.say(ALL_SETTINGS).await;
        }
        facts.keep(Probe::Config, settings, |facts, reply| {
            facts.config = read_config(&reply);
        });
        if facts.why_not(Probe::Config).is_some() {
            facts.take_settings_from_info();
        }
        facts.keep(Probe::Acl, next(), |facts, reply| {
            facts.acl_digest = Some(digest_of_users(&reply));
            facts.users = read_users(&reply);
        });
        facts.keep(Probe::SlowLog, next(), |facts, reply| {
            facts.slow = read_slow_log(&reply);
        });
        facts.keep(Probe::Latency, next(), |facts, reply| {
            facts.stalls = read_stalls(&reply);
        });
        facts.keep(Probe::Modules, next(), |facts, reply| {
            facts.modules = read_modules(&reply);
        });
        facts.keep(Probe::Clock, next(), |facts, reply| {
            facts.clock_ahead_ms = ahead(&reply, begun.elapsed() / 2);
        });
    }
    if let Some(commands) = commands {
        let refused = (no_view.as_deref(), no_clients.as_deref());
        facts.capabilities = capabilities(access, &facts, commands, refused);
    }
    if facts.stands_alone {
        facts.view = alone::view_of(access, &facts, node.addr()).await;
    }
    if facts.info.number("loading") == Some(1) {
        return Err(NodeError::Loading {
            addr: node.addr().clone(),
        });
    }
    facts.took_ms = millis(begun.elapsed());
    Ok(facts)
}

/// What the server permits, by what came back. That COMMAND itself is refused is no gap in a survey:
/// what it would have told is unknown then.
fn capabilities(
    access: &Access,
    facts: &Facts,
    commands: Result<Reply, NodeError>,
    (no_view, no_clients): (Option<&str>, Option<&str>),
) -> Capabilities {
    let no_commands = commands.as_ref().err().map(words);
    let known: BTreeMap<String, Known> = match &commands {
        Ok(reply) => read_commands(Capability::commands(), reply),
        Err(_) => BTreeMap::new(),
    };
    let signs = Signs {
        commands: known,
        no_commands: no_commands.as_deref(),
        no_view,
        no_clients,
        user: own_user(access, facts),
    };
    Capabilities::seen(facts, &signs)
}

/// Who we are there. Without a password that is `default`, unless it has one: then somebody was let in
/// by a certificate, and nobody says who.
fn own_user<'a>(access: &Access, facts: &'a Facts) -> Option<&'a AclUser> {
    let name = access.credentials.user.as_deref().unwrap_or("default");
    let user = facts.users.iter().find(|user| user.name == name)?;
    let is_sure = access.credentials.password.is_some() || (user.is_on && user.is_nopass);
    is_sure.then_some(user)
}

/// What has no CLUSTER NODES: a server without cluster mode, or a Sentinel. Where only clusters are
/// wanted the error stands, but for the Sentinel, which is named. Gives what CLIENT was refused with,
/// where CLUSTER was: that tells services apart.
async fn stand_alone(
    access: &Access,
    node: &Node,
    facts: &mut Facts,
    error: NodeError,
) -> Result<Option<String>, NodeError> {
    let may_be = match &error {
        NodeError::NotCluster { .. } | NodeError::Forbidden { .. } => access.takes_every_form,
        // A Sentinel, a renamed command, a managed service.
        NodeError::Server { said, .. } => said.contains("unknown command"),
        _ => false,
    };
    if !may_be {
        return Err(error);
    }
    if facts.info.mode().is_none() {
        let server = node.say("INFO server").await.map_err(|_| error.clone())?;
        facts.info.take_over(&read_info(&server));
    }
    match facts.info.mode() {
        Some("sentinel") => Err(NodeError::Sentinel {
            addr: node.addr().clone(),
        }),
        Some("standalone") if access.takes_every_form && facts.info.get("role").is_some() => {
            facts.stands_alone = true;
            let hello = node.say("PUBSUB NUMSUB __sentinel__:hello").await;
            facts.watchers = hello.ok().and_then(|reply| number(reply.list().get(1)?));
            match is_refusal(&words(&error)) {
                true => Ok(node.say("CLIENT ID").await.err().as_ref().map(words)),
                false => Ok(None),
            }
        }
        _ => Err(error),
    }
}

fn questions(ask: &Ask) -> Vec<Command> {
    let settings = match ask.has_all_settings {
        true => ALL_SETTINGS.to_owned(),
        false => format!("CONFIG GET {}", SETTINGS.join(" ")),
    };
    // Before INFO: should it be refused, the error is in both samples.
    let commands = Capability::commands().collect::<Vec<_>>().join(" ");
    let commands = format!("COMMAND INFO {commands}");
    let questions: &[&str] = if ask.is_brief {
        &["CLUSTER NODES", "CLUSTER INFO", "INFO replication"]
    } else {
        &[
            "CLUSTER NODES",
            "CLUSTER INFO",
            &commands,
            SECTIONS,
            &settings,
            "ACL LIST",
            "SLOWLOG GET 32",
            "LATENCY LATEST",
            "MODULE LIST",
            "TIME",
        ]
    };
    questions.iter().map(|line| Command::words(line)).collect()
}

/// All that takes time, in turn. When the node is lost on the way, what is left is not asked: each
/// question would cost one more deadline.
pub(super) async fn second_look(
    access: &Access,
    node: &Node,
    facts: &mut Facts,
    ask: &Ask,
    turns: &Semaphore,
    burst: u32,
    first_at: Instant,
) {
    // The turn comes before the deadline begins: waiting for others is not the node's fault. Never
    // closed, so it always comes.
    let mut turn = match ask.pings {
        0 => None,
        _ => turns.acquire().await.ok(),
    };
    // The quick ones together get one deadline, however slowly each is answered.
    let quick = node.before(tokio::time::Instant::now() + access.deadline);
    let mut lost: Option<NodeError> = None;
    for probe in wanted(facts, ask) {
        let outcome = match (&lost, probe) {
            (Some(error), _) => Err(error.clone()),
            (None, Probe::Pings) => ping(&quick, facts, burst).await,
            (None, Probe::Clock) => clock(&quick, facts).await,
            (None, Probe::OpenDoor) => open_door(access, &quick, facts).await,
            (None, Probe::Canary) => canary(&quick, facts).await,
            (None, Probe::ForeignKeys) => foreign_keys(node, facts).await,
            (None, _) => sample(node, facts, ask.sample, first_at).await,
        };
        if probe == Probe::Pings {
            drop(turn.take());
        }
        if let Err(error) = outcome {
            facts.missed(probe, words(&error));
            // The open door is another connection: when that is refused, this one may stand.
            let is_lost = error.is_end() && probe != Probe::OpenDoor;
            lost = lost.or(is_lost.then_some(error));
        }
    }
}

/// What to ask this node, in order.
fn wanted(facts: &Facts, ask: &Ask) -> Vec<Probe> {
    let is_master = facts.view.myself().is_some_and(|me| me.flags.master);
    [
        (ask.pings > 0, Probe::Pings),
        (
            ask.pings > 0 && facts.took_ms > SLOW_FLIGHT_MS,
            Probe::Clock,
        ),
        (ask.pings > 0, Probe::OpenDoor),
        (ask.is_canary && is_master, Probe::Canary),
        (true, Probe::Sample),
        // Last, for hundreds of thousands of replies would spoil every measurement beside them.
        (
            ask.is_deep && is_master && !facts.stands_alone,
            Probe::ForeignKeys,
        ),
    ]
    .into_iter()
    .filter_map(|(is_wanted, probe)| is_wanted.then_some(probe))
    .collect()
}

trait Keep {
    fn keep(
        &mut self,
        probe: Probe,
        reply: Result<Reply, NodeError>,
        put: impl FnOnce(&mut Facts, Reply),
    );
    fn missed(&mut self, probe: Probe, why: impl Into<String>);
}

impl Keep for Facts {
    fn keep(
        &mut self,
        probe: Probe,
        reply: Result<Reply, NodeError>,
        put: impl FnOnce(&mut Facts, Reply),
    ) {
        match reply {
            Ok(reply) => put(self, reply),
            Err(error) => self.missed(probe, words(&error)),
        }
    }

    fn missed(&mut self, probe: Probe, why: impl Into<String>) {
        self.not_read.push(NotRead {
            probe,
            why: why.into(),
        });
    }
}

/// The server's words without the address, which the row shows already.
fn words(error: &NodeError) -> String {
    match error {
        NodeError::Server { said, .. } | NodeError::Forbidden { said, .. } => said.clone(),
        other => other.to_string(),
    }
}

async fn ping(node: &Node, facts: &mut Facts, count: u32) -> Result<(), NodeError> {
    let (begun, ping) = (Instant::now(), Command::words("PING"));
    for _ in 0..count {
        let sent = Instant::now();
        node.ask(&ping).await?;
        facts.pings_us.push(micros(sent.elapsed()));
        if facts.pings_us.len() >= FEW_PINGS && begun.elapsed() > PING_BUDGET {
            break;
        }
    }
    Ok(())
}

async fn clock(node: &Node, facts: &mut Facts) -> Result<(), NodeError> {
    let sent = Instant::now();
    let reply = node.say("TIME").await?;
    facts.clock_ahead_ms = ahead(&reply, sent.elapsed() / 2);
    Ok(())
}

/// How far the node's clock is ahead, when it was read so long ago.
fn ahead(reply: &Reply, ago: Duration) -> Option<i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let here = i64::try_from(now.saturating_sub(ago).as_millis()).ok()?;
    Some(read_clock(reply)?.saturating_sub(here))
}

/// Whether the node answers somebody who gives no password. Without a password of our own the
/// answers that we have are the proof.
async fn open_door(access: &Access, node: &Node, facts: &mut Facts) -> Result<(), NodeError> {
    if access.credentials.password.is_none() {
        facts.answers_without_password = Some(true);
        return Ok(());
    }
    let stranger = Node::connect_without_login(access, node.addr()).await?;
    facts.answers_without_password = match stranger.say("PING").await {
        Ok(_) => Some(true),
        Err(NodeError::PasswordWanted { .. } | NodeError::Forbidden { .. }) => Some(false),
        Err(error) => return Err(error),
    };
    Ok(())
}

/// Writes a key of goodcache's own that expires by itself after 5 s, and waits for the replicas.
async fn canary(node: &Node, facts: &mut Facts) -> Result<(), NodeError> {
    let Some(me) = facts.view.myself() else {
        return Ok(());
    };
    let Some(key) = key_in(&me.slots) else {
        return Ok(());
    };
    let follows = |peer: &&model::Peer| peer.master.as_ref() == Some(&me.id);
    let replicas = facts.view.peers.iter().filter(follows).count();
    let set = Command::words("SET")
        .arg(&key)
        .arg("goodcache")
        .arg("PX")
        .arg("5000");
    match node.ask(&set).await {
        Ok(_) => {}
        Err(error) if error.is_end() => return Err(error),
        Err(error) => {
            facts.canary = Some(model::Reply::Refused(words(&error)));
            return Ok(());
        }
    }
    let begun = Instant::now();
    let wait = format!("WAIT {replicas} {}", CANARY_WAIT.as_millis());
    let reply = node.say(&wait).await?;
    let took_us = micros(begun.elapsed());
    // It would expire by itself; where deleting is forbidden it does.
    let _ = node.ask(&Command::words("DEL").arg(&key)).await;
    let fastest = facts.pings_us.iter().min().copied().unwrap_or(0);
    facts.canary = Some(model::Reply::Acknowledged {
        replicas: number(&reply).unwrap_or(0),
        took_us: took_us.saturating_sub(fastest),
    });
    Ok(())
}

/// A key of goodcache's own that hashes to one of those slots; `None` when there are none.
pub fn key_in(slots: &SlotSet) -> Option<String> {
    if slots.is_empty() {
        return None;
    }
    // With one slot in 16,384 a hit within 200,000 tries is all but certain (1 - 5e-6).
    (0..200_000)
        .map(|n| format!("goodcache:probe:{n}"))
        .find(|key| slots.contains(Slot::of_key(key.as_bytes())))
}

/// Counts the keys in every slot that this master does not own, unless it is seen to hold none.
async fn foreign_keys(node: &Node, facts: &mut Facts) -> Result<(), NodeError> {
    let Some(me) = facts.view.myself() else {
        return Ok(());
    };
    let foreign: Vec<Slot> = SlotSet::full().difference(&me.slots).iter().collect();
    let own: Vec<Slot> = me.slots.iter().collect();
    if own.len() >= foreign.len() || !holds_no_others(node, &own).await? {
        for batch in foreign.chunks(FOREIGN_BATCH) {
            let commands: Vec<Command> = batch.iter().map(count_keys).collect();
            for (&slot, reply) in batch.iter().zip(node.ask_all(&commands).await?) {
                match number(&reply?).unwrap_or(0) {
                    0 => {}
                    keys => facts.foreign_keys.push(OpenSlot { slot, keys }),
                }
            }
        }
    }
    facts.is_deep = true;
    Ok(())
}

/// Whether the keys in those slots are all the keys there are, at one moment. With many masters this
/// spares most of the questions: each owns a small part of the slots. `false` also when that could
/// not be found out.
async fn holds_no_others(node: &Node, slots: &[Slot]) -> Result<bool, NodeError> {
    let mut commands = vec![Command::words("MULTI"), Command::words("DBSIZE")];
    commands.extend(slots.iter().map(count_keys));
    commands.push(Command::words("EXEC"));
    let replies = node.ask_all(&commands).await?;
    let Some(Ok(counts)) = replies.last() else {
        return Ok(false);
    };
    let counts: Option<Vec<u64>> = counts.list().iter().map(number).collect();
    let Some([all, each @ ..]) = counts.as_deref() else {
        return Ok(false);
    };
    let sum = each.iter().copied().fold(0, u64::saturating_add);
    Ok(each.len() == slots.len() && sum == *all)
}

fn count_keys(slot: &Slot) -> Command {
    Command::words("CLUSTER COUNTKEYSINSLOT").arg(slot.to_string())
}

async fn sample(
    node: &Node,
    facts: &mut Facts,
    apart: Duration,
    first_at: Instant,
) -> Result<(), NodeError> {
    if apart.is_zero() {
        facts.missed(Probe::Sample, "looked only once (--sample 0s)");
        return Ok(());
    }
    tokio::time::sleep(apart.saturating_sub(first_at.elapsed())).await;
    let takes_many = facts.info.version() >= Some(Version(7, 0, 0));
    let reply = node
        .say(if takes_many { SECTIONS } else { ALL_SECTIONS })
        .await?;
    facts.sample_ms = millis(first_at.elapsed());
    facts.later = Some(read_info(&reply));
    Ok(())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_our_own_for_every_slot() {
        for number in [0, 5460, 16_383] {
            let slot = Slot::new(number).unwrap();
            let key = key_in(&SlotSet::range(slot, slot)).unwrap();
            assert_eq!(Slot::of_key(key.as_bytes()), slot);
        }
        assert!(key_in(&SlotSet::new()).is_none());
    }
}

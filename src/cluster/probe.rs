//! The questions put to one node, and how its answers become facts.
//!
//! The first look is one flight of questions that every server answers in constant time; what takes
//! time or writes comes after, when the other nodes are known. A question that is refused becomes a
//! line in `not_read`, never a missing row.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::access::Access;
use super::error::NodeError;
use super::explore::Ask;
use super::node::{Command, Node, Reply};
use super::view::read_view;
use crate::model;
use crate::model::{
    AclUser, Facts, Info, NotRead, OpenSlot, Probe, Slot, SlotSet, SlowEntry, Stall,
};

/// A burst of PINGs stops after so long, so that far nodes do not slow a survey down.
const PING_BUDGET: Duration = Duration::from_millis(100);

/// How many COUNTKEYSINSLOT go in one flight.
const FOREIGN_BATCH: usize = 2048;

/// Settings whose values are secrets.
const SECRETS: [&str; 5] = [
    "requirepass",
    "masterauth",
    "primaryauth",
    "tls-key-file-pass",
    "tls-client-key-file-pass",
];

/// The view, the counters and the settings, in one flight.
pub(super) async fn first_look(node: &Node, ask: &Ask) -> Result<Facts, NodeError> {
    let begun = Instant::now();
    let mut questions = vec!["CLUSTER NODES", "CLUSTER INFO"];
    if ask.is_brief {
        questions.push("INFO replication");
    } else {
        questions.extend([
            "INFO all",
            "CONFIG GET *",
            "ACL LIST",
            "SLOWLOG GET 32",
            "LATENCY LATEST",
            "MODULE LIST",
        ]);
    }
    let commands: Vec<Command> = questions.iter().map(|line| Command::words(line)).collect();
    let mut replies = node.ask_all(&commands).await?.into_iter();
    let mut next = || replies.next().unwrap_or(Ok(Reply::Nil));
    let (view, cluster, info) = (next(), next(), next());
    let mut facts = Facts {
        view: read_view(node.addr(), &view?)?,
        certificate_days_left: node.certificate_days_left(),
        ..Facts::default()
    };
    facts.keep(Probe::ClusterInfo, cluster, |facts, reply| {
        facts.cluster = read_info(&reply);
    });
    facts.keep(Probe::Info, info, |facts, reply| {
        facts.info = read_info(&reply);
    });
    if !ask.is_brief {
        facts.keep(Probe::Config, next(), |facts, reply| {
            facts.config = read_config(&reply);
        });
        facts.keep(Probe::Acl, next(), Facts::read_users);
        facts.keep(Probe::SlowLog, next(), |facts, reply| {
            facts.slow = read_slow_log(&reply);
        });
        facts.keep(Probe::Latency, next(), |facts, reply| {
            facts.stalls = read_stalls(&reply);
        });
        facts.keep(Probe::Modules, next(), |facts, reply| {
            facts.modules = read_modules(&reply);
        });
    }
    if facts.info.number("loading") == Some(1) {
        return Err(NodeError::Loading {
            addr: node.addr().clone(),
        });
    }
    facts.took_ms = millis(begun.elapsed());
    Ok(facts)
}

/// All that takes time, in turn. When the node is lost on the way, what is left is not asked: each
/// question would cost one more deadline.
pub(super) async fn second_look(
    access: &Access,
    node: &Node,
    facts: &mut Facts,
    ask: &Ask,
    first_at: Instant,
) {
    // The quick ones together get one deadline, however slowly each is answered.
    let quick = node.before(tokio::time::Instant::now() + access.deadline);
    let mut lost: Option<NodeError> = None;
    for probe in wanted(facts, ask) {
        let outcome = match (&lost, probe) {
            (Some(error), _) => Err(error.clone()),
            (None, Probe::Pings) => ping(&quick, facts, ask.pings).await,
            (None, Probe::Clock) => clock(&quick, facts).await,
            (None, Probe::OpenDoor) => open_door(access, &quick, facts).await,
            (None, Probe::Canary) => canary(&quick, facts).await,
            (None, Probe::ForeignKeys) => foreign_keys(node, facts).await,
            (None, _) => sample(node, facts, ask.sample, first_at).await,
        };
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
        (ask.pings > 0, Probe::Clock),
        (ask.pings > 0, Probe::OpenDoor),
        (ask.is_canary && is_master, Probe::Canary),
        (true, Probe::Sample),
        // Last, for hundreds of thousands of replies would spoil every measurement beside them.
        (ask.is_deep && is_master, Probe::ForeignKeys),
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
    fn read_users(&mut self, reply: Reply);
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

    fn read_users(&mut self, reply: Reply) {
        let mut lines: Vec<String> = reply.list().iter().filter_map(Reply::text).collect();
        lines.sort();
        let digest = Sha256::digest(lines.join("\n"));
        self.acl_digest = Some(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        self.users = lines.iter().filter_map(|line| read_user(line)).collect();
    }
}

/// The server's words without the address, which the row shows already.
fn words(error: &NodeError) -> String {
    match error {
        NodeError::Server { said, .. } | NodeError::Forbidden { said, .. } => said.clone(),
        other => other.to_string(),
    }
}

fn read_info(reply: &Reply) -> Info {
    Info::parse(&reply.text().unwrap_or_default())
}

fn read_config(reply: &Reply) -> BTreeMap<String, String> {
    reply
        .list()
        .chunks_exact(2)
        .filter_map(|pair| Some((pair[0].text()?.to_lowercase(), pair[1].text()?)))
        .map(|(name, value)| match SECRETS.contains(&name.as_str()) {
            true if !value.is_empty() => (name, "(set)".to_owned()),
            _ => (name, value),
        })
        .collect()
}

/// `user NAME on #hash... ~keys &channels +commands`
fn read_user(line: &str) -> Option<AclUser> {
    let mut parts = line.split_ascii_whitespace();
    parts.next().filter(|&word| word == "user")?;
    let mut user = AclUser {
        name: parts.next()?.to_owned(),
        is_on: false,
        is_nopass: false,
        passwords: 0,
        rules: String::new(),
    };
    for part in parts {
        match part {
            "on" => user.is_on = true,
            "off" => user.is_on = false,
            "nopass" => user.is_nopass = true,
            hash if hash.starts_with('#') => user.passwords += 1,
            rule => {
                if !user.rules.is_empty() {
                    user.rules.push(' ');
                }
                user.rules.push_str(rule);
            }
        }
    }
    Some(user)
}

fn read_slow_log(reply: &Reply) -> Vec<SlowEntry> {
    let entry = |entry: &Reply| {
        let [id, at, took, arguments, ..] = entry.list() else {
            return None;
        };
        let word = |n: usize| arguments.list().get(n).and_then(Reply::text);
        let mut command = word(0)?.to_uppercase();
        // Only of these is the second word a subcommand; of all others it is the user's data.
        if ["CLUSTER", "CONFIG", "CLIENT", "DEBUG", "SCRIPT", "FUNCTION"]
            .contains(&command.as_str())
        {
            command = format!("{command} {}", word(1).unwrap_or_default().to_uppercase());
        }
        Some(SlowEntry {
            id: number(id)?,
            at_s: number(at)?,
            took_us: number(took)?,
            command: command.chars().take(40).collect(),
        })
    };
    reply.list().iter().filter_map(entry).collect()
}

fn read_stalls(reply: &Reply) -> Vec<Stall> {
    let stall = |stall: &Reply| {
        let [event, at, latest, max, ..] = stall.list() else {
            return None;
        };
        Some(Stall {
            event: event.text()?,
            at_s: number(at)?,
            latest_ms: number(latest)?,
            max_ms: number(max)?,
        })
    };
    reply.list().iter().filter_map(stall).collect()
}

fn read_modules(reply: &Reply) -> BTreeMap<String, u64> {
    let module = |module: &Reply| {
        let named = |name: &str| {
            module
                .list()
                .chunks_exact(2)
                .find(|pair| pair[0].text().as_deref() == Some(name))
                .map(|pair| &pair[1])
        };
        Some((named("name")?.text()?, number(named("ver")?)?))
    };
    reply.list().iter().filter_map(module).collect()
}

fn number(reply: &Reply) -> Option<u64> {
    reply.integer()?.try_into().ok()
}

async fn ping(node: &Node, facts: &mut Facts, count: u32) -> Result<(), NodeError> {
    let (begun, ping) = (Instant::now(), Command::words("PING"));
    for _ in 0..count {
        let sent = Instant::now();
        node.ask(&ping).await?;
        facts.pings_us.push(micros(sent.elapsed()));
        if begun.elapsed() > PING_BUDGET {
            break;
        }
    }
    Ok(())
}

async fn clock(node: &Node, facts: &mut Facts) -> Result<(), NodeError> {
    let sent = Instant::now();
    let reply = node.say("TIME").await?;
    let half_way = sent.elapsed() / 2;
    let here = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|now| i64::try_from(now.saturating_sub(half_way).as_millis()).ok());
    facts.clock_ahead_ms = read_clock(&reply)
        .zip(here)
        .map(|(there, here)| there.saturating_sub(here));
    Ok(())
}

/// TIME in ms.
fn read_clock(reply: &Reply) -> Option<i64> {
    let [seconds, micros] = reply.list() else {
        return None;
    };
    let whole = seconds.integer()?.saturating_mul(1000);
    Some(whole.saturating_add(micros.integer()? / 1000))
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
    let wait = format!("WAIT {replicas} {}", PING_BUDGET.as_millis() * 10);
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
    let reply = node.say("INFO all").await?;
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
    use proptest::prelude::*;

    use super::*;
    use crate::model::NodeAddr;

    fn bytes(text: &str) -> Reply {
        Reply::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn an_acl_line_is_read_without_its_hashes() {
        let user = read_user("user app on #aa #bb ~app:* &* -@all +get").unwrap();
        assert_eq!(
            (user.passwords, user.is_on, user.is_nopass),
            (2, true, false)
        );
        assert_eq!(user.rules, "~app:* &* -@all +get");
        assert!(read_user("nonsense").is_none());
    }

    #[test]
    fn secrets_in_the_settings_are_blanked() {
        let list = ["requirepass", "hunter2", "masterauth", "", "Port", "7001"];
        let config = read_config(&Reply::List(list.map(bytes).to_vec()));
        assert_eq!(config["requirepass"], "(set)");
        assert_eq!(config["masterauth"], "");
        assert_eq!(config["port"], "7001");
    }

    #[test]
    fn the_slow_log_keeps_no_arguments() {
        let entry = |words: &[&str]| {
            Reply::List(vec![
                Reply::Integer(1),
                Reply::Integer(2),
                Reply::Integer(30_000),
                Reply::List(words.iter().map(|word| bytes(word)).collect()),
            ])
        };
        let log = read_slow_log(&Reply::List(vec![
            entry(&["set", "session:1", "secret"]),
            entry(&["cluster", "nodes"]),
            Reply::Integer(7),
        ]));
        let commands: Vec<&str> = log.iter().map(|entry| entry.command.as_str()).collect();
        assert_eq!(commands, ["SET", "CLUSTER NODES"]);
    }

    /// Any reply at all, with numbers and words that are likely to matter.
    fn any_reply() -> impl Strategy<Value = Reply> {
        let number = prop_oneof![
            any::<i64>(),
            Just(i64::MIN),
            Just(i64::MAX),
            Just(0),
            -2..3_i64
        ];
        let word = prop_oneof![
            "\\PC{0,12}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..12),
            "(user|on|off|#aa|cluster|name|ver|requirepass|-?[0-9]{1,25})".prop_map(Into::into),
        ];
        let leaf = prop_oneof![
            Just(Reply::Nil),
            number.prop_map(Reply::Integer),
            word.prop_map(Reply::Bytes),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop::collection::vec(inner, 0..6).prop_map(Reply::List)
        })
    }

    proptest! {
        #[test]
        fn no_reply_makes_a_reader_panic(reply in any_reply()) {
            let _ = (read_config(&reply), read_slow_log(&reply), read_stalls(&reply));
            let _ = (read_modules(&reply), read_clock(&reply), number(&reply));
            let _ = read_view(&NodeAddr::new("a", 1), &reply);
            let mut facts = Facts { info: read_info(&reply), ..Facts::default() };
            facts.read_users(reply);
            let _ = (facts.info.replicas(), facts.info.keys(), facts.info.version());
        }

        #[test]
        fn no_info_makes_a_reader_panic(
            lines in prop::collection::vec(
                "(db[0-9]|slave[0-9]|errorstat_X|redis_version|x):(keys|count|ip|port|lag)=[0-9.-]{0,22}",
                0..8,
            ),
        ) {
            let info = Info::parse(&lines.join("\r\n"));
            let _ = (info.replicas(), info.keys(), info.version(), info.vendor());
            let _ = (info.sum("errorstat_", "count"), info.float("x"), info.number("x"));
        }

        #[test]
        fn a_secret_never_passes(name in "(requirepass|MasterAuth|tls-key-file-pass)", value in "\\PC{1,20}") {
            let config = read_config(&Reply::List(vec![bytes(&name), bytes(&value)]));
            prop_assert_eq!(config.values().collect::<Vec<_>>(), ["(set)"]);
        }
    }

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

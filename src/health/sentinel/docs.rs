//! What the codes of Sentinels and of replication outside of a cluster mean.

use crate::health::code::CodeDoc;
use crate::model::Severity;

pub(super) const TWO_MASTERS: CodeDoc = CodeDoc {
    code: "replication.two_masters",
    title: "two servers call themselves the master",
    severity: Severity::Critical,
    why: "Both take writes, and neither has the other's. An old master that came back and was not told, a replica that was promoted by hand, or two servers that do not belong together.",
    remedy: "Decide whose data counts, save the other's (goodcache backup), then REPLICAOF on the other.",
    source: "INFO replication: role of each server",
    ..CodeDoc::PLAIN
};
pub(super) const WRONG_MASTER: CodeDoc = CodeDoc {
    code: "replication.wrong_master",
    title: "follows a server that is not the master",
    why: "The replica copies from a server other than the one that takes the writes, so it holds old data and is no spare. Right after a failover this passes by itself.",
    remedy: "REPLICAOF the master, or let the Sentinels do it: they repair it once the replica answers them.",
    source: "INFO replication: master_host, master_port; SENTINEL MASTER",
    ..CodeDoc::PLAIN
};
pub(super) const UNWATCHED: CodeDoc = CodeDoc {
    code: "sentinel.none",
    title: "no Sentinel watches the master",
    severity: Severity::Info,
    why: "Replication alone copies data; it promotes nobody. When the master dies, writes stop until a person or a program promotes a replica and tells the clients.",
    remedy: "Run three Sentinels on three hosts, or have another failover at hand.",
    source: "PUBSUB NUMSUB __sentinel__:hello; sentinel.c: Sentinels speak through that channel of each server that they watch",
    ..CodeDoc::PLAIN
};
pub(super) const NOT_ASKED: CodeDoc = CodeDoc {
    code: "sentinel.not_asked",
    title: "Sentinels watch the servers, and were not asked",
    severity: Severity::Info,
    why: "Subscribers to the Sentinels' own channel were seen. What they know and whether they could promote a replica was not looked at.",
    remedy: "Give the address of one of them instead: goodcache check HOST:26379.",
    source: "PUBSUB NUMSUB __sentinel__:hello",
    ..CodeDoc::PLAIN
};
pub(super) const UNREACHABLE: CodeDoc = CodeDoc {
    code: "sentinel.unreachable",
    title: "the Sentinel does not answer",
    why: "Each Sentinel that is gone is a vote less. With fewer than a majority of all that are known no failover is authorised, which is critical.",
    remedy: "Start it again, or open the way to it. One that is gone for good is forgotten by SENTINEL RESET on the others.",
    source: "the connection itself; SENTINEL SENTINELS of the others",
    ..CodeDoc::PLAIN
};
pub(super) const STRANGER: CodeDoc = CodeDoc {
    code: "sentinel.stranger",
    title: "the Sentinel does not watch that master",
    why: "It was asked with the others, and knows no master of that name, so it has no vote for it.",
    remedy: "SENTINEL MONITOR on it, or leave its address out.",
    source: "SENTINEL MASTERS",
    ..CodeDoc::PLAIN
};
pub(super) const NO_QUORUM: CodeDoc = CodeDoc {
    code: "sentinel.no_quorum",
    title: "the Sentinels could not bring about a failover",
    severity: Severity::Critical,
    why: "Too few Sentinels reach each other to call the master dead (the quorum) or to authorise one of them (a majority). If the master dies now, nothing happens.",
    remedy: "Bring back the Sentinels that are gone, or lower the quorum to the majority of those that there are.",
    source: "SENTINEL CKQUORUM",
    ..CodeDoc::PLAIN
};
pub(super) const QUORUM: CodeDoc = CodeDoc {
    code: "sentinel.quorum",
    title: "the quorum does not fit the number of Sentinels",
    why: "A quorum above their number is never reached, which is critical. A quorum of one lets a single Sentinel with a bad network call a living master dead.",
    remedy: "SENTINEL SET NAME quorum to the majority, on each Sentinel.",
    source: "SENTINEL MASTER: quorum; SENTINEL SENTINELS",
    ..CodeDoc::PLAIN
};
pub(super) const FEW: CodeDoc = CodeDoc {
    code: "sentinel.few",
    title: "too few Sentinels to lose one",
    why: "A failover needs a majority of all Sentinels that are known. With one or two, the loss of one ends all failovers.",
    remedy: "Run three or five, on hosts of their own.",
    source: "SENTINEL SENTINELS; the Sentinel documentation",
    ..CodeDoc::PLAIN
};
pub(super) const ONE_HOST: CodeDoc = CodeDoc {
    code: "sentinel.one_host",
    title: "a host carries too many Sentinels",
    why: "If this host is lost, no majority of the Sentinels is left. When the master stands there as well, its loss is noticed by too few to be acted on.",
    remedy: "Spread the Sentinels over at least three hosts.",
    source: "the addresses of the Sentinels",
    ..CodeDoc::PLAIN
};
pub(super) const DISAGREE: CodeDoc = CodeDoc {
    code: "sentinel.disagree",
    title: "the Sentinels do not agree",
    why: "Settings of Sentinels are not shared among them, and each learns of the others by itself. Where they differ, what a failover takes depends on who leads it; one that is not known by all has no vote with some.",
    remedy: "SENTINEL SET the same on each. SENTINEL RESET on each in turn, 30 s apart, forgets servers and Sentinels that are gone.",
    source: "SENTINEL MASTER, SENTINEL REPLICAS and SENTINEL SENTINELS of each compared",
    ..CodeDoc::PLAIN
};
pub(super) const MASTER_DISPUTED: CodeDoc = CodeDoc {
    code: "sentinel.master_disputed",
    title: "it is not agreed which server is the master",
    severity: Severity::Critical,
    why: "Clients ask any Sentinel for the master. Where these name different ones, or one that calls itself a replica, some clients write to a server whose writes are dropped. During a failover this lasts a moment.",
    remedy: "Look again after a few seconds. When it stays, see which Sentinels cannot reach each other.",
    source: "SENTINEL MASTER of each Sentinel; INFO replication: role",
    ..CodeDoc::PLAIN
};
pub(super) const MASTER_DOWN: CodeDoc = CodeDoc {
    code: "sentinel.master_down",
    title: "a Sentinel holds the master for down",
    why: "s_down is one Sentinel's own suspicion after down-after-milliseconds without a sound reply; o_down, which is critical, means that the quorum shares it and a failover is due.",
    remedy: "See whether the master answers here. If a failover does not follow, see sentinel.no_quorum and shard.no_replica.",
    source: "SENTINEL MASTER: flags",
    is_folded: true,
    ..CodeDoc::PLAIN
};
pub(super) const REPLICA_DOWN: CodeDoc = CodeDoc {
    code: "sentinel.replica_down",
    title: "a Sentinel holds a replica for down",
    why: "A replica that a Sentinel cannot reach is not promoted. One that is gone for good stays in the list until the Sentinels are told to forget it.",
    remedy: "Bring it back, or SENTINEL RESET on each Sentinel in turn.",
    source: "SENTINEL REPLICAS: flags",
    is_folded: true,
    ..CodeDoc::PLAIN
};
pub(super) const TILT: CodeDoc = CodeDoc {
    code: "sentinel.tilt",
    title: "the Sentinel is in TILT mode",
    severity: Severity::Critical,
    why: "Its clock jumped or it stood still, so for 30 s it trusts none of its own timers and takes part in no failover. When it comes back to that again and again, it is no Sentinel at all.",
    remedy: "Look for clock changes, stalls and starved machines.",
    source: "INFO sentinel: sentinel_tilt",
    ..CodeDoc::PLAIN
};
pub(super) const TIMING: CodeDoc = CodeDoc {
    code: "sentinel.timing",
    title: "odd times for noticing or for failing over",
    why: "Below a second any stall (a fork, a slow command) is a failover; above a minute the outage is that long before anything begins. failover-timeout also bounds how soon a failed attempt is tried again, which is twice that time.",
    remedy: "SENTINEL SET NAME down-after-milliseconds 5000, failover-timeout 60000 on each Sentinel, unless measured otherwise.",
    source: "SENTINEL MASTER: down-after-milliseconds, failover-timeout",
    is_folded: true,
    ..CodeDoc::PLAIN
};
pub(super) const MIN_REPLICAS: CodeDoc = CodeDoc {
    code: "sentinel.min_replicas",
    title: "a master that is cut off goes on taking writes",
    severity: Severity::Info,
    why: "Clients that are cut off together with the old master write to it until the cut is mended; then it becomes a replica and those writes are dropped. With min-replicas-to-write 1 it refuses writes after min-replicas-max-lag seconds without a replica.",
    remedy: "CONFIG SET min-replicas-to-write 1 on all servers, if refusing writes is better than losing them.",
    source: "CONFIG: min-replicas-to-write; the Sentinel documentation",
    ..CodeDoc::PLAIN
};
pub(super) const OPEN: CodeDoc = CodeDoc {
    code: "sentinel.open",
    title: "the Sentinel needs no password",
    severity: Severity::Critical,
    why: "SENTINEL SET and SENTINEL MONITOR change which server clients are sent to, and scripts that the machine runs. Whoever reaches the port can do that.",
    remedy: "requirepass (or ACL users) and sentinel sentinel-pass on each, from 6.2 on; a firewall before that.",
    source: "PING without AUTH",
    is_folded: true,
    ..CodeDoc::PLAIN
};

//! The advice in the words of clients: settings to paste, each with what it rests on.
//!
//! The names and defaults are those of redis-py 8.1 (`redis/cluster.py`, `redis/retry.py`), ioredis 5
//! (`lib/cluster/ClusterOptions.ts`) and Lettuce 6 (its reference guide, "Client options").

use serde::Serialize;

use super::backoff::Backoff;
use super::outage::Outage;
use super::timeouts::Timeouts;
use crate::model::words::seconds;

/// A client, and what to set in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Client {
    /// Its name: `environment`, `redis-py`, `ioredis`, `Lettuce`.
    pub name: &'static str,
    /// What to set, one by one.
    pub settings: Vec<Setting>,
    /// The same to paste, a line each.
    pub paste: Vec<String>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Its name, as the client writes it.
    pub name: &'static str,
    /// Its value, as the client wants it.
    pub value: String,
    /// What that rests on.
    pub because: String,
}

/// What the settings are made of.
pub struct Advice<'a> {
    /// What is to be ridden out.
    pub outage: &'a Outage,
    /// With which pauses.
    pub backoff: &'a Backoff,
    /// How long one try may take.
    pub timeouts: &'a Timeouts,
}

/// Every client that the advice is written for.
pub fn clients(advice: &Advice) -> Vec<Client> {
    vec![
        advice.environment(),
        advice.redis_py(),
        advice.ioredis(),
        advice.lettuce(),
    ]
}

/// How many times to try again where redirections count as tries: until the nodes agree that a
/// master is gone, the others redirect to it (MOVED to the dead address was 45 % of the errors
/// measured), and a few redirections lead to the new one.
pub fn redirections(attempts: u32) -> u32 {
    attempts.saturating_mul(2).saturating_add(3)
}

impl Advice<'_> {
    fn whole(&self) -> String {
        seconds(self.outage.ride_out_ms / 1000.0)
    }

    fn environment(&self) -> Client {
        let limit = redirections(self.backoff.attempts);
        let refresh_s = (self.timeouts.refresh_ms as f64 / 1000.0).ceil() as u64;
        let settings = vec![
            Setting {
                name: "REDIS_CLUSTER_MAX_REDIRECTIONS",
                value: limit.to_string(),
                because: format!(
                    "{} tries with the pauses above ride out {}; twice as many and three, since \
                     redirections count, and until a loss is agreed on they lead to the lost node",
                    self.backoff.attempts,
                    self.whole()
                ),
            },
            Setting {
                name: "REDIS_CLUSTER_RETRY_ON_FAIL",
                value: "true".into(),
                because: "a lost master refuses or does not answer until another is elected; only \
                          trying again meets the new one"
                    .into(),
            },
            Setting {
                name: "REDIS_CLUSTER_SLOTS_REFRESH_INTERVAL",
                value: refresh_s.to_string(),
                because:
                    "in seconds: the new master is learnt from the first MOVED, this bounds how \
                          long an idle client keeps an old slot map"
                        .into(),
            },
        ];
        let paste = settings
            .iter()
            .map(|s| format!("{}={}", s.name, s.value))
            .collect();
        Client {
            name: "environment",
            settings,
            paste,
        }
    }

    fn redis_py(&self) -> Client {
        // Its first pause is twice the base (`compute(1)` is `base * 2**1`).
        let base = self.backoff.base_ms / 2000.0;
        let cap = self.backoff.cap_ms / 1000.0;
        let tries = self.backoff.attempts;
        let (connect, command) = (self.timeouts.connect_s(), self.timeouts.command_s());
        let settings = vec![
            Setting {
                name: "Retry(EqualJitterBackoff(cap, base), retries)",
                value: format!("cap={cap} base={base} retries={tries}"),
                because: format!(
                    "around each call: RedisCluster itself tries again without a pause (0.25 s on \
                     CLUSTERDOWN), so that its own retries are over before {} are",
                    self.whole()
                ),
            },
            Setting {
                name: "socket_connect_timeout",
                value: connect.clone(),
                because: self.timeouts.because_connect.clone(),
            },
            Setting {
                name: "socket_timeout",
                value: command.clone(),
                because: self.timeouts.because_command.clone(),
            },
        ];
        Client {
            name: "redis-py",
            settings,
            paste: vec![
                "from redis.backoff import EqualJitterBackoff".into(),
                "from redis.cluster import RedisCluster".into(),
                "from redis.exceptions import (ClusterDownError, ConnectionError,".into(),
                "                              SlotNotCoveredError, TimeoutError)".into(),
                "from redis.retry import Retry".into(),
                format!("rc = RedisCluster.from_url(URL, socket_connect_timeout={connect},"),
                format!("                           socket_timeout={command})"),
                format!("ride_out = Retry(EqualJitterBackoff(cap={cap}, base={base}), {tries},"),
                "                 supported_errors=(ConnectionError, TimeoutError,".into(),
                "                                   ClusterDownError, SlotNotCoveredError))".into(),
                "value = ride_out.call_with_retry(lambda: rc.get(key), lambda error: None)".into(),
            ],
        }
    }

    fn ioredis(&self) -> Client {
        let limit = redirections(self.backoff.attempts_fixed);
        let pause = self.backoff.cap_ms.round() as u64;
        let settings = vec![
            Setting {
                name: "maxRedirections",
                value: limit.to_string(),
                because: format!(
                    "its pauses are fixed: {} of {pause} ms ride out {}; twice as many and three, \
                     since redirections count (16 when not set)",
                    self.backoff.attempts_fixed,
                    self.whole()
                ),
            },
            Setting {
                name: "retryDelayOnFailover",
                value: pause.to_string(),
                because: "100 ms when not set, of which 16 are over after 1.6 s".into(),
            },
            Setting {
                name: "retryDelayOnClusterDown",
                value: pause.to_string(),
                because: "the same while the cluster is down".into(),
            },
            Setting {
                name: "redisOptions.connectTimeout",
                value: self.timeouts.connect_ms.to_string(),
                because: self.timeouts.because_connect.clone(),
            },
            Setting {
                name: "slotsRefreshInterval",
                value: self.timeouts.refresh_ms.to_string(),
                because: "bounds how long an idle client keeps an old slot map".into(),
            },
        ];
        Client {
            name: "ioredis",
            paste: vec![
                "new Redis.Cluster(nodes, {".into(),
                format!("  maxRedirections: {limit},"),
                format!("  retryDelayOnFailover: {pause},"),
                format!("  retryDelayOnClusterDown: {pause},"),
                format!("  slotsRefreshInterval: {},", self.timeouts.refresh_ms),
                format!(
                    "  redisOptions: {{ connectTimeout: {} }},",
                    self.timeouts.connect_ms
                ),
                "});".into(),
            ],
            settings,
        }
    }

    fn lettuce(&self) -> Client {
        let limit = redirections(self.backoff.attempts);
        let (base, cap) = (self.backoff.base_ms.round(), self.backoff.cap_ms.round());
        let command = self.outage.ride_out_ms.ceil() as u64;
        let (connect, refresh) = (self.timeouts.connect_ms, self.timeouts.refresh_ms);
        let settings = vec![
            Setting {
                name: "TimeoutOptions.fixedTimeout",
                value: format!("{command} ms"),
                because: format!(
                    "it keeps commands while a connection is away, so its command timeout rides out \
                     {}: 60 s when not set, longer than anybody waits",
                    self.whole()
                ),
            },
            Setting {
                name: "reconnectDelay",
                value: format!("Delay.equalJitter({base} ms..{cap} ms)"),
                because: "so that clients do not come back in step".into(),
            },
            Setting {
                name: "maxRedirects",
                value: limit.to_string(),
                because: "5 when not set, which MOVED to a dead address uses up".into(),
            },
            Setting {
                name: "enableAllAdaptiveRefreshTriggers, adaptiveRefreshTriggersTimeout",
                value: format!("{cap} ms"),
                because:
                    "off when not set; then a new master is met by MOVED only, and at most once \
                          in 30 s"
                        .into(),
            },
            Setting {
                name: "connectTimeout",
                value: format!("{connect} ms"),
                because: self.timeouts.because_connect.clone(),
            },
        ];
        Client {
            name: "Lettuce",
            settings,
            paste: vec![
                "ClientResources resources = ClientResources.builder()".into(),
                format!("  .reconnectDelay(Delay.equalJitter(Duration.ofMillis({base}),"),
                format!("    Duration.ofMillis({cap}), {base}, TimeUnit.MILLISECONDS)).build();"),
                "ClusterClientOptions options = ClusterClientOptions.builder()".into(),
                format!("  .maxRedirects({limit})"),
                format!("  .timeoutOptions(TimeoutOptions.enabled(Duration.ofMillis({command})))"),
                "  .socketOptions(SocketOptions.builder()".into(),
                format!("    .connectTimeout(Duration.ofMillis({connect})).build())"),
                "  .topologyRefreshOptions(ClusterTopologyRefreshOptions.builder()".into(),
                format!("    .enablePeriodicRefresh(Duration.ofMillis({refresh}))"),
                "    .enableAllAdaptiveRefreshTriggers()".into(),
                format!("    .adaptiveRefreshTriggersTimeout(Duration.ofMillis({cap})).build())"),
                "  .build();".into(),
            ],
        }
    }
}

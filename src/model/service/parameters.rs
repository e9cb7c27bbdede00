//! Which settings a service lets a customer change, and by which command.
//!
//! Sources: AWS, "Valkey and Redis OSS parameters" (ElastiCache and MemoryDB user guides); Google,
//! "Supported instance configurations" (Memorystore for Redis, Redis Cluster, Valkey); Microsoft,
//! "How to configure Azure Cache for Redis" and the `az redis`/`az redisenterprise` references;
//! Redis, "Compatibility with Redis configuration settings". Read 2026-11.

use super::Service;

/// How a setting is changed at a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// By that command; words in capitals are the customer's own names.
    Command(String),
    /// By CONFIG SET, as everywhere.
    Server,
    /// Not at all, and why.
    Fixed(&'static str),
}

/// What ElastiCache and MemoryDB parameter groups hold that rules of goodcache speak of.
const AWS: &[&str] = &[
    "active-defrag-cycle-max",
    "active-defrag-cycle-min",
    "active-defrag-threshold-lower",
    "active-defrag-threshold-upper",
    "activedefrag",
    "activerehashing",
    "client-output-buffer-limit",
    "cluster-allow-reads-when-down",
    "cluster-require-full-coverage",
    "hash-max-listpack-entries",
    "hash-max-listpack-value",
    "hash-max-ziplist-entries",
    "hash-max-ziplist-value",
    "latency-tracking",
    "lazyfree-lazy-eviction",
    "lazyfree-lazy-expire",
    "lazyfree-lazy-server-del",
    "lazyfree-lazy-user-del",
    "lazyfree-lazy-user-flush",
    "lfu-decay-time",
    "lfu-log-factor",
    "list-compress-depth",
    "list-max-listpack-size",
    "list-max-ziplist-size",
    "maxmemory-clients",
    "maxmemory-policy",
    "maxmemory-samples",
    "min-replicas-max-lag",
    "min-replicas-to-write",
    "notify-keyspace-events",
    "repl-backlog-size",
    "repl-backlog-ttl",
    "set-max-intset-entries",
    "set-max-listpack-entries",
    "slowlog-log-slower-than",
    "slowlog-max-len",
    "stream-node-max-bytes",
    "stream-node-max-entries",
    "tcp-keepalive",
    "timeout",
    "tracking-table-max-keys",
    "zset-max-listpack-entries",
    "zset-max-listpack-value",
    "zset-max-ziplist-entries",
    "zset-max-ziplist-value",
];

/// Of those, what MemoryDB's groups leave out: its durability is the service's own.
const NOT_MEMORYDB: &[&str] = &[
    "min-replicas-max-lag",
    "min-replicas-to-write",
    "repl-backlog-size",
    "repl-backlog-ttl",
];

const GOOGLE_REDIS: &[&str] = &[
    "activedefrag",
    "lfu-decay-time",
    "lfu-log-factor",
    "maxmemory-policy",
    "notify-keyspace-events",
    "stream-node-max-bytes",
    "stream-node-max-entries",
    "timeout",
];

const GOOGLE: &[&str] = &[
    "maxmemory",
    "maxmemory-clients",
    "maxmemory-policy",
    "notify-keyspace-events",
];

const AZURE: &[&str] = &["maxmemory-policy", "notify-keyspace-events"];

/// What Redis Cloud takes by CONFIG SET.
const REDIS_CLOUD: &[&str] = &[
    "activerehashing",
    "hash-max-listpack-entries",
    "hash-max-listpack-value",
    "hll-sparse-max-bytes",
    "list-compress-depth",
    "list-max-listpack-size",
    "notify-keyspace-events",
    "set-max-intset-entries",
    "slowlog-log-slower-than",
    "slowlog-max-len",
    "stream-node-max-bytes",
    "stream-node-max-entries",
    "zset-max-listpack-entries",
    "zset-max-listpack-value",
];

impl Service {
    /// How that setting gets that value here.
    pub fn remedy(self, parameter: &str, value: &str) -> Remedy {
        let parameter = parameter.to_ascii_lowercase();
        if parameter == "requirepass" || parameter == "masterauth" {
            return Remedy::Command(self.login().to_owned());
        }
        if (self, parameter.as_str()) == (Service::RedisCloud, "maxmemory-policy") {
            return Remedy::Command(format!("the database's page: data eviction policy {value}"));
        }
        if parameter == "maxmemory" && self.vendor() != "gcp" {
            return self.memory_limit();
        }
        let known: &[&str] = match self {
            Service::ElastiCache | Service::MemoryDb => AWS,
            Service::MemorystoreRedis => GOOGLE_REDIS,
            Service::MemorystoreCluster | Service::MemorystoreValkey => GOOGLE,
            Service::AzureCache => AZURE,
            Service::AzureEnterprise | Service::AzureManaged => &["maxmemory-policy"],
            Service::RedisCloud => REDIS_CLOUD,
            Service::ElastiCacheServerless => &[],
        };
        let is_left_out = self == Service::MemoryDb && NOT_MEMORYDB.contains(&parameter.as_str());
        if !known.contains(&parameter.as_str()) || is_left_out {
            return Remedy::Fixed(match self {
                Service::ElastiCacheServerless => {
                    "the service sets it; no parameter can be changed"
                }
                _ => "the service sets it; customers cannot change it",
            });
        }
        match self {
            Service::ElastiCache => Remedy::Command(format!(
                "aws elasticache modify-cache-parameter-group --cache-parameter-group-name GROUP --parameter-name-values '{}'",
                aws_values(&parameter, value)
            )),
            Service::MemoryDb => Remedy::Command(format!(
                "aws memorydb update-parameter-group --parameter-group-name GROUP --parameter-name-values '{}'",
                aws_values(&parameter, value)
            )),
            Service::MemorystoreRedis => Remedy::Command(format!(
                "gcloud redis instances update ID --region=REGION --update-redis-config={parameter}={value}"
            )),
            Service::MemorystoreCluster => Remedy::Command(format!(
                "gcloud redis clusters update ID --region=REGION --update-redis-config={parameter}={value}"
            )),
            Service::MemorystoreValkey => Remedy::Command(format!(
                "gcloud memorystore instances update ID --location=REGION --engine-configs={parameter}={value}"
            )),
            Service::AzureCache => Remedy::Command(format!(
                "az redis update --resource-group GROUP --name ID --set redisConfiguration.{parameter}={value}"
            )),
            Service::AzureEnterprise | Service::AzureManaged => Remedy::Command(format!(
                "az redisenterprise database update --resource-group GROUP --cluster-name ID --eviction-policy {}",
                camel(value)
            )),
            Service::RedisCloud => Remedy::Server,
            Service::ElastiCacheServerless => Remedy::Fixed("no parameter can be changed"),
        }
    }

    fn memory_limit(self) -> Remedy {
        match self {
            Service::ElastiCache => Remedy::Command(
                "aws elasticache modify-cache-parameter-group --cache-parameter-group-name GROUP --parameter-name-values 'ParameterName=reserved-memory-percent,ParameterValue=25'".to_owned(),
            ),
            Service::AzureCache => Remedy::Command(
                "az redis update --resource-group GROUP --name ID --set redisConfiguration.maxmemory-reserved=MEGABYTES".to_owned(),
            ),
            _ => Remedy::Fixed("the size that is paid for sets it: choose another size"),
        }
    }
}

/// A parameter as the AWS command line takes it. The output buffer limits of a class are three
/// parameters there.
fn aws_values(parameter: &str, value: &str) -> String {
    let pair = |name: &str, value: &str| format!("ParameterName={name},ParameterValue={value}");
    if parameter != "client-output-buffer-limit" {
        return pair(parameter, value);
    }
    let words: Vec<&str> = value.split_whitespace().collect();
    let classes = words
        .chunks_exact(4)
        .filter(|class| class[0] == "pubsub" || class[0] == "normal");
    let pairs = classes.flat_map(|class| {
        ["hard-limit", "soft-limit", "soft-seconds"]
            .into_iter()
            .zip(&class[1..])
            .map(move |(which, value)| {
                pair(
                    &format!("client-output-buffer-limit-{}-{which}", class[0]),
                    value,
                )
            })
    });
    pairs.collect::<Vec<_>>().join(" ")
}

/// `allkeys-lru` as Azure's enterprise tiers write it: `AllKeysLRU`.
fn camel(policy: &str) -> String {
    match policy {
        "noeviction" => "NoEviction".to_owned(),
        policy => {
            let (keys, how) = policy.split_once('-').unwrap_or((policy, ""));
            let keys = if keys == "allkeys" {
                "AllKeys"
            } else {
                "Volatile"
            };
            let how = match how {
                "random" => "Random".to_owned(),
                how => how.to_ascii_uppercase(),
            };
            format!("{keys}{how}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(service: Service, parameter: &str, value: &str) -> String {
        match service.remedy(parameter, value) {
            Remedy::Command(command) => command,
            other => panic!("{service}: {other:?}"),
        }
    }

    #[test]
    fn each_service_has_a_command_of_its_own() {
        let set = |service| command(service, "maxmemory-policy", "volatile-lfu");
        assert!(set(Service::ElastiCache).contains(
            "--parameter-name-values 'ParameterName=maxmemory-policy,ParameterValue=volatile-lfu'"
        ));
        assert!(set(Service::MemorystoreCluster).ends_with("=maxmemory-policy=volatile-lfu"));
        assert!(set(Service::AzureManaged).ends_with("--eviction-policy VolatileLFU"));
        assert!(set(Service::AzureCache).starts_with("az redis update"));
        assert!(matches!(
            Service::RedisCloud.remedy("slowlog-max-len", "128"),
            Remedy::Server
        ));
    }

    #[test]
    fn what_a_customer_cannot_change_is_said_to_be_so() {
        for (service, parameter) in [
            (Service::ElastiCache, "appendonly"),
            (Service::MemoryDb, "repl-backlog-size"),
            (Service::MemorystoreCluster, "timeout"),
            (Service::ElastiCacheServerless, "maxmemory-policy"),
            (Service::AzureManaged, "maxmemory"),
        ] {
            let remedy = service.remedy(parameter, "1");
            assert!(
                matches!(remedy, Remedy::Fixed(_)),
                "{service} {parameter}: {remedy:?}"
            );
        }
    }

    #[test]
    fn output_buffers_of_a_class_are_three_parameters_at_aws() {
        let line = command(
            Service::ElastiCache,
            "client-output-buffer-limit",
            "normal 0 0 0 slave 256 64 60 pubsub 33554432 8388608 60",
        );
        assert!(
            line.contains("client-output-buffer-limit-pubsub-hard-limit,ParameterValue=33554432")
        );
        assert!(!line.contains("slave"), "{line}");
    }
}

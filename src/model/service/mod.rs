//! Managed services: which one a cluster is rented from, and how its settings are changed there.
//!
//! The name decides words only, such as which console a setting is changed in. What is permitted is
//! found by asking the servers, for a service may permit more tomorrow than its documents say today.

mod parameters;
mod recognise;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use parameters::Remedy;
pub use recognise::{Recognised, recognise};

/// A managed service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Service {
    /// AWS ElastiCache on nodes, cluster mode on or off.
    #[serde(rename = "elasticache")]
    ElastiCache,
    /// AWS ElastiCache Serverless: one name, behind which nodes come and go.
    #[serde(rename = "elasticache-serverless")]
    ElastiCacheServerless,
    /// AWS MemoryDB.
    #[serde(rename = "memorydb")]
    MemoryDb,
    /// Google Memorystore for Redis, which is no cluster.
    #[serde(rename = "memorystore-redis")]
    MemorystoreRedis,
    /// Google Memorystore for Redis Cluster.
    #[serde(rename = "memorystore-cluster")]
    MemorystoreCluster,
    /// Google Memorystore for Valkey.
    #[serde(rename = "memorystore-valkey")]
    MemorystoreValkey,
    /// Azure Cache for Redis: Basic, Standard, Premium.
    #[serde(rename = "azure-cache")]
    AzureCache,
    /// Azure Cache for Redis Enterprise.
    #[serde(rename = "azure-enterprise")]
    AzureEnterprise,
    /// Azure Managed Redis.
    #[serde(rename = "azure-managed")]
    AzureManaged,
    /// Redis Cloud and Redis Software.
    #[serde(rename = "redis-cloud")]
    RedisCloud,
}

/// Every service, with the name by which `--provider` knows it and the name by which people do.
const NAMES: &[(Service, &str, &str)] = &[
    (Service::ElastiCache, "elasticache", "AWS ElastiCache"),
    (
        Service::ElastiCacheServerless,
        "elasticache-serverless",
        "AWS ElastiCache Serverless",
    ),
    (Service::MemoryDb, "memorydb", "AWS MemoryDB"),
    (
        Service::MemorystoreRedis,
        "memorystore-redis",
        "Google Memorystore for Redis",
    ),
    (
        Service::MemorystoreCluster,
        "memorystore-cluster",
        "Google Memorystore for Redis Cluster",
    ),
    (
        Service::MemorystoreValkey,
        "memorystore-valkey",
        "Google Memorystore for Valkey",
    ),
    (Service::AzureCache, "azure-cache", "Azure Cache for Redis"),
    (
        Service::AzureEnterprise,
        "azure-enterprise",
        "Azure Cache for Redis Enterprise",
    ),
    (
        Service::AzureManaged,
        "azure-managed",
        "Azure Managed Redis",
    ),
    (Service::RedisCloud, "redis-cloud", "Redis Cloud"),
];

/// What a user says of the service: one of them, or that it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// Whatever is recognised.
    Auto,
    /// None: the servers are one's own, whatever they look like.
    None,
    /// That one.
    Is(Service),
}

impl Service {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Service> {
        NAMES.iter().map(|&(service, _, _)| service)
    }

    /// The name by which `--provider` knows it.
    pub fn slug(self) -> &'static str {
        let found = NAMES.iter().find(|(service, _, _)| *service == self);
        found.map_or("", |&(_, slug, _)| slug)
    }

    /// Who runs it: `aws`, `gcp`, `azure` or `redis`.
    pub fn vendor(self) -> &'static str {
        match self {
            Service::ElastiCache | Service::ElastiCacheServerless | Service::MemoryDb => "aws",
            Service::MemorystoreRedis
            | Service::MemorystoreCluster
            | Service::MemorystoreValkey => "gcp",
            Service::AzureCache | Service::AzureEnterprise | Service::AzureManaged => "azure",
            Service::RedisCloud => "redis",
        }
    }

    /// How a login is asked of clients there.
    pub fn login(self) -> &'static str {
        match self {
            Service::ElastiCache => {
                "aws elasticache modify-replication-group --replication-group-id ID --auth-token file://TOKEN --auth-token-update-strategy SET (it takes TLS), or user groups"
            }
            Service::ElastiCacheServerless => {
                "aws elasticache modify-serverless-cache --serverless-cache-name ID --user-group-id GROUP"
            }
            Service::MemoryDb => "aws memorydb update-cluster --cluster-name ID --acl-name ACL",
            Service::MemorystoreRedis => {
                "gcloud redis instances update ID --region=REGION --enable-auth"
            }
            Service::MemorystoreCluster | Service::MemorystoreValkey => {
                "make it anew with IAM authorisation: it is chosen when the instance is made"
            }
            Service::AzureCache | Service::AzureEnterprise | Service::AzureManaged => {
                "turn access keys or Entra ID on, under Authentication"
            }
            Service::RedisCloud => {
                "set a password, or roles, on the database's page under Security"
            }
        }
    }

    /// How a failover is drilled there, and what to mind.
    pub fn drill(self) -> Drill {
        match self {
            Service::ElastiCache => Drill::Template("aws-elasticache"),
            Service::MemoryDb => Drill::Template("aws-memorydb"),
            Service::AzureCache => Drill::Template("azure-cache"),
            Service::MemorystoreCluster => Drill::Template("gcp-memorystore-cluster"),
            Service::ElastiCacheServerless => {
                Drill::None("ElastiCache Serverless has no call that fails a node over")
            }
            Service::MemorystoreRedis => Drill::None(
                "goodcache drills shards, and this instance is none: gcloud redis instances failover NAME --region=REGION fails it over, unmeasured",
            ),
            Service::MemorystoreValkey => {
                Drill::None("no call that fails a node over is documented for it")
            }
            Service::AzureEnterprise | Service::AzureManaged => {
                Drill::None("it has neither a reboot nor a failover that a customer may call")
            }
            Service::RedisCloud => {
                Drill::None("failover is not a customer's to call; ask support for a drill")
            }
        }
    }

    /// How its own snapshots are taken, for what a key by key backup cannot promise.
    pub fn own_snapshot(self) -> &'static str {
        match self {
            Service::ElastiCache => {
                "aws elasticache create-snapshot --replication-group-id ID --snapshot-name NAME"
            }
            Service::ElastiCacheServerless => {
                "aws elasticache create-serverless-cache-snapshot --serverless-cache-name ID --serverless-cache-snapshot-name NAME"
            }
            Service::MemoryDb => {
                "aws memorydb create-snapshot --cluster-name ID --snapshot-name NAME"
            }
            Service::MemorystoreRedis => {
                "gcloud redis instances export gs://BUCKET/NAME.rdb ID --region=REGION"
            }
            Service::MemorystoreCluster => {
                "gcloud redis clusters create-backup ID --region=REGION --backup-id=NAME"
            }
            Service::MemorystoreValkey => {
                "gcloud memorystore instances backup ID --location=REGION --backup-id=NAME"
            }
            Service::AzureCache => {
                "az redis export --resource-group GROUP --name ID --prefix NAME --container SAS-URL"
            }
            Service::AzureEnterprise | Service::AzureManaged => {
                "az redisenterprise database export --resource-group GROUP --cluster-name ID --sas-uri SAS-URL"
            }
            Service::RedisCloud => "the database's page, Configuration, Backup now",
        }
    }
}

/// How a failover is drilled at a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drill {
    /// By that template of hooks.
    Template(&'static str),
    /// Not at all, and why.
    None(&'static str),
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = NAMES.iter().find(|(service, _, _)| service == self);
        f.write_str(found.map_or("", |&(_, _, name)| name))
    }
}

/// A name that is no provider's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no provider (auto, none, aws, gcp, azure, {known})", known = known())]
pub struct UnknownProvider(String);

fn known() -> String {
    let slugs: Vec<&str> = Service::all().map(Service::slug).collect();
    slugs.join(", ")
}

impl FromStr for Provider {
    type Err = UnknownProvider;

    /// A service's name, or a vendor's, which means the service that its clusters are rented as today.
    fn from_str(text: &str) -> Result<Provider, UnknownProvider> {
        Ok(match text {
            "auto" => Provider::Auto,
            "none" => Provider::None,
            "aws" => Provider::Is(Service::ElastiCache),
            "gcp" => Provider::Is(Service::MemorystoreCluster),
            "azure" => Provider::Is(Service::AzureManaged),
            text => NAMES
                .iter()
                .find(|(_, slug, _)| *slug == text)
                .map(|&(service, _, _)| Provider::Is(service))
                .ok_or_else(|| UnknownProvider(text.chars().take(40).collect()))?,
        })
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Provider::Auto => "auto",
            Provider::None => "none",
            Provider::Is(service) => service.slug(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_is_found_by_its_name_and_has_words_of_its_own() {
        for service in Service::all() {
            let provider: Provider = service.slug().parse().unwrap();
            assert_eq!(provider, Provider::Is(service));
            assert_eq!(provider.to_string(), service.slug());
            assert_eq!(serde_json::to_value(service).unwrap(), service.slug());
            assert!(!service.to_string().is_empty());
            assert!(!service.own_snapshot().is_empty());
        }
        assert_eq!("aws".parse(), Ok(Provider::Is(Service::ElastiCache)));
        let error = "amazon".parse::<Provider>().unwrap_err().to_string();
        assert!(
            error.contains("'amazon'") && error.contains("elasticache"),
            "{error}"
        );
    }
}

//! Google Memorystore for Redis Cluster. Sources: the references of `google_redis_cluster`
//! (hashicorp/google) and of `gcloud redis clusters`.

use super::{Wanted, head, label, variable};
use crate::model::Service;

const SIZE: &str = "redis-standard-small";

fn size(wanted: &Wanted) -> &str {
    wanted.node_size.as_deref().unwrap_or(SIZE)
}

pub(super) fn terraform(wanted: &Wanted) -> String {
    let (name, label) = (&wanted.name, label(&wanted.name));
    let mut text = head(Service::MemorystoreCluster, wanted);
    text.push_str(
        "terraform {\n  required_providers {\n    google = {\n      source  = \"hashicorp/google\"\n      version = \">= 6.20\"\n    }\n  }\n}\n\n",
    );
    text.push_str(&variable("project", "string", "The project", None));
    text.push_str(&variable(
        "region",
        "string",
        "Where it stands",
        wanted.region.as_deref(),
    ));
    text.push_str(&variable(
        "network",
        "string",
        "The network's id: projects/P/global/networks/N",
        None,
    ));
    text.push_str(&variable(
        "subnetwork",
        "string",
        "The subnetwork's id, for its endpoints",
        None,
    ));
    text.push_str(&format!(
        r#"resource "google_network_connectivity_service_connection_policy" "{label}" {{
  name          = "{name}"
  project       = var.project
  location      = var.region
  service_class = "gcp-memorystore-redis"
  network       = var.network
  psc_config {{
    subnetworks = [var.subnetwork]
  }}
}}

resource "google_redis_cluster" "{label}" {{
  name                        = "{name}"
  project                     = var.project
  region                      = var.region
  shard_count                 = {shards}
  replica_count               = {replicas}
  node_type                   = "{size}"
  transit_encryption_mode     = "TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION"
  authorization_mode          = "AUTH_MODE_IAM_AUTH"
  deletion_protection_enabled = true

  # Sessions must not be evicted: goodcache tune says what fits the data.
  redis_configs = {{
    maxmemory-policy = "volatile-lru"
  }}

  psc_configs {{
    network = var.network
  }}

  zone_distribution_config {{
    mode = "MULTI_ZONE"
  }}

  automated_backup_config {{
    retention = "604800s"
    fixed_frequency_schedule {{
      start_time {{
        hours = 2
      }}
    }}
  }}

  depends_on = [google_network_connectivity_service_connection_policy.{label}]
}}

output "nodes" {{
  description = "For goodcache.yaml: nodes: ['rediss://...']"
  value       = "rediss://${{google_redis_cluster.{label}.discovery_endpoints[0].address}}:6379"
}}
"#,
        size = size(wanted).to_ascii_uppercase().replace('-', "_"),
        shards = wanted.shards,
        replicas = wanted.replicas,
    ));
    text
}

pub(super) fn commands(wanted: &Wanted) -> String {
    let name = &wanted.name;
    let region = wanted
        .region
        .as_deref()
        .unwrap_or("${REGION:?the region, such as europe-west1}");
    format!(
        r#"#!/bin/sh
{head}# The login is IAM: the password is an access token, which lasts an hour
# (gcloud auth print-access-token).
set -eu
region="{region}"
: "${{NETWORK:?projects/P/global/networks/N}}" "${{SUBNET:?the subnetwork for its endpoints}}"

gcloud network-connectivity service-connection-policies create {name} --region="$region" \
    --network="$NETWORK" --service-class=gcp-memorystore-redis --subnets="$SUBNET"
gcloud redis clusters create {name} --region="$region" --network="$NETWORK" \
    --shard-count={shards} --replica-count={replicas} --node-type={size} \
    --zone-distribution-mode=multi-zone --transit-encryption-mode=server-authentication \
    --auth-mode=iam-auth --redis-config=maxmemory-policy=volatile-lru
gcloud redis clusters update {name} --region="$region" \
    --automated-backup-mode=enabled --automated-backup-ttl=7d --automated-backup-start-time=2
"#,
        head = head(Service::MemorystoreCluster, wanted),
        size = size(wanted),
        shards = wanted.shards,
        replicas = wanted.replicas,
    )
}

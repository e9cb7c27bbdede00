//! AWS ElastiCache for Valkey, cluster mode. Sources: the references of
//! `aws_elasticache_replication_group` (hashicorp/aws) and of `aws elasticache`.

use super::{Wanted, head, label, variable};
use crate::model::Service;

const SIZE: &str = "cache.m7g.large";

pub(super) fn terraform(wanted: &Wanted) -> String {
    let (name, label) = (&wanted.name, label(&wanted.name));
    let size = wanted.node_size.as_deref().unwrap_or(SIZE);
    let mut text = head(Service::ElastiCache, wanted);
    text.push_str(
        "terraform {\n  required_providers {\n    aws = {\n      source  = \"hashicorp/aws\"\n      version = \">= 5.80\"\n    }\n  }\n}\n\n",
    );
    text.push_str(&variable(
        "region",
        "string",
        "Where it stands",
        wanted.region.as_deref(),
    ));
    text.push_str(&variable(
        "subnet_ids",
        "list(string)",
        "Private subnets, in three zones",
        None,
    ));
    text.push_str(&variable(
        "security_group_ids",
        "list(string)",
        "Who may connect",
        None,
    ));
    text.push_str(
        "variable \"auth_token\" {\n  description = \"The password, 16 to 128 characters: TF_VAR_auth_token, never in a file of the repository\"\n  type        = string\n  sensitive   = true\n}\n\n",
    );
    text.push_str("provider \"aws\" {\n  region = var.region\n}\n\n");
    text.push_str(&format!(
        "resource \"aws_elasticache_subnet_group\" \"{label}\" {{\n  name       = \"{name}\"\n  subnet_ids = var.subnet_ids\n}}\n\n"
    ));
    text.push_str(&format!(
        r#"resource "aws_elasticache_parameter_group" "{label}" {{
  name   = "{name}"
  family = "valkey8"

  parameter {{
    name  = "cluster-enabled"
    value = "yes"
  }}

  # Sessions must not be evicted: goodcache tune says what fits the data.
  parameter {{
    name  = "maxmemory-policy"
    value = "volatile-lru"
  }}
}}

resource "aws_elasticache_replication_group" "{label}" {{
  replication_group_id       = "{name}"
  description                = "{name}, made from what goodcache wrote"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = "{size}"
  num_node_groups            = {shards}
  replicas_per_node_group    = {replicas}
  automatic_failover_enabled = true
  multi_az_enabled           = true
  transit_encryption_enabled = true
  at_rest_encryption_enabled = true
  auth_token                 = var.auth_token
  parameter_group_name       = aws_elasticache_parameter_group.{label}.name
  subnet_group_name          = aws_elasticache_subnet_group.{label}.name
  security_group_ids         = var.security_group_ids
  snapshot_retention_limit   = 7
  snapshot_window            = "02:00-03:00"
  maintenance_window         = "sun:04:00-sun:05:00"
}}

output "nodes" {{
  description = "For goodcache.yaml: nodes: ['rediss://...']"
  value       = "rediss://${{aws_elasticache_replication_group.{label}.configuration_endpoint_address}}:6379"
}}
"#,
        shards = wanted.shards,
        replicas = wanted.replicas,
    ));
    text
}

pub(super) fn commands(wanted: &Wanted) -> String {
    let name = &wanted.name;
    let size = wanted.node_size.as_deref().unwrap_or(SIZE);
    let region = wanted
        .region
        .as_deref()
        .unwrap_or("${REGION:?the region, such as eu-central-1}");
    format!(
        r#"#!/bin/sh
{head}# The password lies in the file auth-token beside this one: 16 to 128 characters, mode 0600.
set -eu
region="{region}"
: "${{SUBNETS:?private subnets in three zones, by spaces}}" "${{SECURITY_GROUPS:?who may connect, by spaces}}"

aws elasticache create-cache-subnet-group --region "$region" --cache-subnet-group-name {name} \
    --cache-subnet-group-description {name} --subnet-ids $SUBNETS
aws elasticache create-cache-parameter-group --region "$region" --cache-parameter-group-name {name} \
    --cache-parameter-group-family valkey8 --description {name}
aws elasticache modify-cache-parameter-group --region "$region" --cache-parameter-group-name {name} \
    --parameter-name-values 'ParameterName=cluster-enabled,ParameterValue=yes' \
    'ParameterName=maxmemory-policy,ParameterValue=volatile-lru'
aws elasticache create-replication-group --region "$region" --replication-group-id {name} \
    --replication-group-description {name} --engine valkey --engine-version 8.0 \
    --cache-node-type {size} --num-node-groups {shards} --replicas-per-node-group {replicas} \
    --automatic-failover-enabled --multi-az-enabled \
    --transit-encryption-enabled --at-rest-encryption-enabled --auth-token file://auth-token \
    --cache-parameter-group-name {name} --cache-subnet-group-name {name} \
    --security-group-ids $SECURITY_GROUPS \
    --snapshot-retention-limit 7 --snapshot-window 02:00-03:00
aws elasticache wait replication-group-available --region "$region" --replication-group-id {name}
"#,
        head = head(Service::ElastiCache, wanted),
        shards = wanted.shards,
        replicas = wanted.replicas,
    )
}

//! Azure Managed Redis. Sources: the references of `azurerm_managed_redis` (hashicorp/azurerm) and
//! of `az redisenterprise`. A size has its number of shards by itself, so that of masters is a wish
//! that only a size can fulfil.

use super::{Wanted, head, label, variable};
use crate::model::Service;

const SIZE: &str = "Balanced_B10";

fn size(wanted: &Wanted) -> &str {
    wanted.node_size.as_deref().unwrap_or(SIZE)
}

const SHARDS: &str =
    "# Azure decides how many shards a size has; each has a replica by high availability.\n";

pub(super) fn terraform(wanted: &Wanted) -> String {
    let (name, label, size) = (&wanted.name, label(&wanted.name), size(wanted));
    let mut text = head(Service::AzureManaged, wanted);
    text.push_str(SHARDS);
    text.push_str(
        "terraform {\n  required_providers {\n    azurerm = {\n      source  = \"hashicorp/azurerm\"\n      version = \">= 4.50\"\n    }\n  }\n}\n\n",
    );
    text.push_str(&variable(
        "resource_group",
        "string",
        "The resource group",
        None,
    ));
    text.push_str(&variable(
        "location",
        "string",
        "Where it stands",
        wanted.region.as_deref(),
    ));
    text.push_str(&format!(
        r#"provider "azurerm" {{
  features {{}}
}}

resource "azurerm_managed_redis" "{label}" {{
  name                      = "{name}"
  resource_group_name       = var.resource_group
  location                  = var.location
  sku_name                  = "{size}"
  high_availability_enabled = true

  default_database {{
    clustering_policy                           = "OSSCluster"
    client_protocol                             = "Encrypted"
    access_keys_authentication_enabled          = true
    eviction_policy                             = "VolatileLRU"
    persistence_redis_database_backup_frequency = "12h"
  }}
}}

output "nodes" {{
  description = "For goodcache.yaml: nodes: ['rediss://...']"
  value       = "rediss://${{azurerm_managed_redis.{label}.hostname}}:10000"
}}
"#
    ));
    text
}

pub(super) fn commands(wanted: &Wanted) -> String {
    let (name, size) = (&wanted.name, size(wanted));
    let location = wanted
        .region
        .as_deref()
        .unwrap_or("${LOCATION:?the location, such as westeurope}");
    format!(
        r#"#!/bin/sh
{head}{SHARDS}# The access keys are told by: az redisenterprise database list-keys. rdb persistence is the
# service's own backup; export to a storage account besides.
set -eu
location="{location}"
: "${{GROUP:?the resource group}}"

az redisenterprise create --resource-group "$GROUP" --name {name} --location "$location" \
    --sku {size} --high-availability Enabled \
    --clustering-policy OSSCluster --client-protocol Encrypted --access-keys-auth Enabled \
    --eviction-policy VolatileLRU --persistence rdb-enabled=true rdb-frequency=12h
"#,
        head = head(Service::AzureManaged, wanted),
    )
}

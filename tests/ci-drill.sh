#!/usr/bin/env bash
# The CI step that README.md shows, on a real cluster of six local servers: made, waited for, drilled,
# taken away. Each command is printed before it is run; a test holds them against the README's.
set -euo pipefail
cd "$(dirname "$0")/.."

. tests/cluster.sh ci

run() {
    printf '\n$ %s\n' "$*" >&2
    "$@"
}

mkdir -p target
port=$(free_base_port)
made+=(ci)
run goodcache create ci --local --base-port "$port" --node-timeout 2s --yes
run goodcache check ci --wait healthy --timeout 30s -o junit > target/cluster.xml
run goodcache failover-test ci --confirm ci --max-outage 10s --junit target/drill.xml
run goodcache destroy ci --confirm ci
made=()

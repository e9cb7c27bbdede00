#!/usr/bin/env bash
# What goodcache does, shown on a real cluster of six local servers: made, filled with a little of the
# GoodBooks load, checked, tuned, drilled, broken, healed, backed up, taken away; then the backup is put into a
# cluster of four masters and proven equal. Each command is printed before its output. Settings,
# data and snapshots live in a folder of their own, and the servers and it are gone afterwards, whatever
# happens.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly name=demo other=demo-again
readonly scale=0.01

. tests/cluster.sh $name
cd "$home"

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

port=$(free_base_port)
start=$SECONDS
made+=("$name")
run goodcache create "$name" --local --base-port "$port" --node-timeout 1s --yes
run goodbooks --seed-node "127.0.0.1:$port" --scale $scale
run goodcache check "$name"

printf '\nwhat would suit its sessions better is told, set, and put back exactly:\n'
run goodcache tune "$name" --sample 2s
run goodcache tune "$name" --sample 0s --profile session --only latency,cluster.coverage --apply --yes --undo-file undo.json
run goodcache tune "$name" --undo undo.json --yes

printf '\nnow a master is killed, under load and on purpose:\n'
printf '\n$ goodcache failover-test %s --shard 1 --confirm %s\n' "$name" "$name"
drilled=0
goodcache failover-test "$name" --shard 1 --confirm "$name" |
    sed -e '/^timeline/,/^$/d' -e '/^latency/,$d' || drilled=$?
printf '(exit code %s; the timeline and the latencies are left out here)\n' "$drilled"
[ "$drilled" = 0 ] || exit 1

printf '\nnow one replica dies, and nobody puts it back:\n'
pid=$(cat "$XDG_STATE_HOME/goodcache/data/$name/$((port + 5))/pid")
run kill "$pid"
for _ in $(seq 100); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
done
printf '\n$ goodcache check %s\n' "$name"
broken=0
goodcache check "$name" | sed '/^SHARD/,$d' || broken=$?
printf '(exit code %s: something hurts now; the tables are left out here)\n' "$broken"
[ "$broken" = 3 ] || exit 1

printf '\nthe command that made the cluster starts what is down, and waits until it is sound:\n'
run goodcache create "$name" --yes
run goodcache check "$name" --wait healthy -o nagios || true

printf '\na snapshot of all shards at one moment, encrypted; then real servers load it, and every slot is compared:\n'
(umask 077 && echo 'only for this demo' > passphrase)
export GOODCACHE_REPO=$home/backups GOODCACHE_PASSPHRASE_FILE=$home/passphrase
run goodcache backup "$name"
run goodcache backup verify latest --boot

printf '\nthe cluster is lost, data and all:\n'
run goodcache destroy "$name" --confirm "$name"
made=()

printf '\nthe snapshot goes into one of another shape, four masters, and what that holds is read back and compared:\n'
made+=("$other")
run goodcache create "$other" --local --base-port "$port" --masters 4 --replicas 0 --node-timeout 1s --yes
run goodcache restore latest "$other"
run goodcache destroy "$other" --confirm "$other"
made=()
printf '\nall of it in %s s\n' $((SECONDS - start))

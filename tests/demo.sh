#!/usr/bin/env bash
# What goodcache does, shown on a real cluster of six local servers: made, filled with a little of the
# GoodBooks load, checked, broken, healed, taken away again. Each command is printed before its output.
# Settings and data live in a folder of their own, and both the servers and it are gone afterwards,
# whatever happens.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly name=demo
readonly scale=0.01

echo "building goodcache (minutes the first time, seconds after that)"
cargo build --locked --quiet --bin goodcache --example goodbooks
bin=$PWD/${CARGO_TARGET_DIR:-target}/debug
[ -x "$bin/goodcache" ] || bin=${CARGO_TARGET_DIR:-target}/debug
PATH=$bin:$bin/examples:$PATH

home=$(mktemp -d "${TMPDIR:-/tmp}/goodcache-demo.XXXXXX")
made=no
clean_up() {
    local status=$?
    trap - EXIT
    if [ $made = yes ]; then
        goodcache destroy "$name" --confirm "$name" >&2 || status=1
    fi
    rm -rf "$home"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd "$home"
export XDG_CONFIG_HOME=$home/config XDG_STATE_HOME=$home/state XDG_DATA_HOME=$home/data
for variable in $(compgen -e | grep -E '^(REDIS_|REDISCLI_|GOODCACHE_)' || true); do
    unset "$variable"
done

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

# The first of six ports in a row that nobody listens on, nor on the bus ports above them.
free_base_port() {
    local base port
    for base in 7001 7101 7201 7301 7401; do
        for ((port = base; port < base + 6; port++)); do
            if (: <"/dev/tcp/127.0.0.1/$port" || : <"/dev/tcp/127.0.0.1/$((port + 10000))") 2>/dev/null; then
                continue 2
            fi
        done
        echo $base
        return
    done
    echo "demo: no six free ports in a row from 7001 to 7406" >&2
    return 1
}

port=$(free_base_port)
start=$SECONDS
made=yes
run goodcache create "$name" --local --base-port "$port" --yes
run goodbooks --seed-node "127.0.0.1:$port" --scale $scale
run goodcache check "$name"

printf '\nnow one replica dies:\n'
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
run goodcache destroy "$name" --confirm "$name"
made=no
printf '\nall of it in %s s\n' $((SECONDS - start))

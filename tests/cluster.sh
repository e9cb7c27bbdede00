# shellcheck shell=bash
# What the demo and the CI drill share; sourced, not run. It builds goodcache, puts settings and data into
# a folder of their own, and sees to it that the clusters and that folder are gone afterwards, whatever
# happens.
#
#     . tests/cluster.sh NAME      # in the repository's root; the cluster will be called NAME
#     made+=(NAME)                 # before a cluster is made
#     made=()                      # once all are gone

cluster=$1

echo "building goodcache (minutes the first time, seconds after that)" >&2
cargo build --locked --quiet --bin goodcache --example goodbooks
bin=$PWD/${CARGO_TARGET_DIR:-target}/debug
[ -x "$bin/goodcache" ] || bin=${CARGO_TARGET_DIR:-target}/debug
PATH=$bin:$bin/examples:$PATH

home=$(mktemp -d "${TMPDIR:-/tmp}/goodcache-$cluster.XXXXXX")
made=()
clean_up() {
    local status=$?
    trap - EXIT
    local one
    for one in "${made[@]}"; do
        goodcache destroy "$one" --confirm "$one" >&2 || status=1
    done
    rm -rf "$home"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export XDG_CONFIG_HOME=$home/config XDG_STATE_HOME=$home/state XDG_DATA_HOME=$home/data
for variable in $(compgen -e | grep -E '^(REDIS_|REDISCLI_|GOODCACHE_)' || true); do
    unset "$variable"
done

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
    echo "$cluster: no six free ports in a row from 7001 to 7406" >&2
    return 1
}

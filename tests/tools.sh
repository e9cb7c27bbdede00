#!/usr/bin/env bash
# Sees to it that what the tests and the demo need is there, and says what it does:
#
#     tests/tools.sh server nextest docker
#
# As root on Debian it installs what is missing; else it names the packages and fails. Nothing that
# is there already is touched, and no service is started but the Docker Engine's.
set -euo pipefail

readonly engine_patience=60

say() { echo "tools: $*" >&2; }

fail() {
    say "$*"
    exit 1
}

# A program, not one of the functions here that bear a program's name.
has() { type -P "$1" >/dev/null; }

# Installs Debian packages: packages "what for" name...
packages() {
    local what=$1
    shift
    if ! has apt-get; then
        fail "$what is missing; install it (on Debian: apt-get install $*)"
    fi
    if [ "$(id -u)" -ne 0 ]; then
        fail "$what is missing; run as root: apt-get update && apt-get install --no-install-recommends $*"
    fi
    say "installing $what: $*"
    keep_services_off
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Debian starts a service as soon as it is installed; a redis-server on 6379 is not ours to start.
keep_services_off() {
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
        trap "rm -f $policy" EXIT
    fi
}

server() {
    has redis-server && has redis-cli || packages "a Redis server" redis-server redis-tools
}

busybox() {
    has busybox || packages "busybox (for the tests' Docker image)" busybox-static
}

compiler() {
    has cc || packages "a C compiler (for the TLS library)" gcc libc6-dev
}

pip() {
    python3 -m pip --version >/dev/null 2>&1 || packages "pip" python3-pip
}

# An S3-compatible server, in a place of its own: nothing is installed into the system's Python.
s3() {
    local venv
    venv=$(cd "$(dirname "$0")/.." && pwd)/target/s3-venv
    if [ -x "$venv/bin/moto_server" ]; then
        return
    fi
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages "Python with venv" python3-venv
    say "installing moto, an S3-compatible server, into $venv (once)"
    rm -rf "$venv"
    python3 -m venv "$venv"
    # moto_server comes last: what was interrupted is begun again.
    "$venv/bin/python3" -m pip install --quiet --disable-pip-version-check 'moto[server]~=5.2' ||
        fail "moto could not be installed; the tests of S3 need it"
}

nextest() {
    if ! cargo nextest --version >/dev/null 2>&1; then
        say "installing cargo-nextest (once; some minutes)"
        cargo install --locked cargo-nextest
    fi
}

docker() {
    has docker || packages "Docker" docker.io
    if command docker info >/dev/null 2>&1; then
        return
    fi
    if [ -n "${DOCKER_HOST:-}" ]; then
        fail "the Docker Engine at $DOCKER_HOST does not answer"
    fi
    if [ "$(id -u)" -ne 0 ]; then
        fail "no Docker Engine answers (see 'docker info'); start it, or run as root"
    fi
    has dockerd || packages "the Docker Engine" docker.io
    start_engine
}

compose() {
    command docker compose version >/dev/null 2>&1 || has docker-compose ||
        packages "docker-compose" docker-compose
}

start_engine() {
    local log=${TMPDIR:-/tmp}/goodcache-dockerd.log
    say "starting the Docker Engine"
    if [ -d /run/systemd/system ]; then
        systemctl start docker
    else
        setsid dockerd >"$log" 2>&1 </dev/null &
    fi
    for ((second = 0; second < engine_patience; second++)); do
        if command docker info >/dev/null 2>&1; then
            return
        fi
        sleep 1
    done
    tail -5 "$log" >&2 2>/dev/null || true
    fail "no Docker Engine within $engine_patience s"
}

for need in "$@"; do
    case $need in
    server | busybox | compiler | pip | s3 | nextest | docker | compose) "$need" ;;
    *) fail "unknown need '$need' (server, busybox, compiler, pip, s3, nextest, docker, compose)" ;;
    esac
done

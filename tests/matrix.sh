#!/usr/bin/env bash
# Runs the tests whose names hold `matrix` over every server version that can be had, one version
# after the other. A version that cannot be had is named at the end; under CI=true that is a failure, as a
# failing test always is: a green answer means that all of them were tried.
set -uo pipefail
cd "$(dirname "$0")/.."

servers=$(tests/servers.sh)
# Some tests carry data from the server under test to each of all.
GOODCACHE_TEST_SERVERS=$(cut -f2 <<<"$servers" | paste -sd:)
export GOODCACHE_TEST_SERVERS
failed=()
passed=()
while IFS=$'\t' read -r name program; do
    echo "== $name: $program"
    if GOODCACHE_TEST_SERVER=$program cargo nextest run --locked -E 'test(/matrix/)' </dev/null; then
        passed+=("$name")
    else
        failed+=("$name")
    fi
done <<<"$servers"

echo
echo "passed: ${passed[*]:-none}"
echo "failed: ${failed[*]:-none}"
missing=()
for name in redis-6.2 redis-7.0 redis-8.2 valkey-8.0 valkey-9.1; do
    grep -q "^$name" <<<"$servers" || missing+=("$name")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "could not be had: ${missing[*]}"
    if [ "${CI:-}" = true ]; then
        echo "matrix: not had: ${missing[*]}, and CI leaves no version out" >&2
        exit 1
    fi
fi
[ ${#failed[@]} -eq 0 ] && [ ${#passed[@]} -gt 0 ]

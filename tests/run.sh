#!/usr/bin/env bash
# The whole test suite. Without a Docker Engine the tests that need one are left out, loudly; under
# CI=true that is a failure instead.
set -euo pipefail
cd "$(dirname "$0")/.."

tests/tools.sh compiler server busybox nextest

profile=default
if [ "${CI:-}" = true ]; then
    profile=ci
fi

filter=()
if ! tests/tools.sh docker compose; then
    if [ "$profile" = ci ]; then
        echo "test: no Docker Engine with docker-compose, and CI leaves no test out" >&2
        exit 1
    fi
    filter=(-E 'not test(/docker/)')
    trap 'echo "test: NO DOCKER ENGINE (or no docker-compose): the tests that need one were NOT run" >&2' EXIT
fi

cargo nextest run --locked --profile "$profile" "${filter[@]}" "$@"

#!/usr/bin/env bash
# The whole test suite. Without a Docker Engine, or an S3-compatible server, the tests that need one are
# left out, loudly; under CI=true that is a failure instead.
set -euo pipefail
cd "$(dirname "$0")/.."

tests/tools.sh compiler server busybox nextest

profile=default
if [ "${CI:-}" = true ]; then
    profile=ci
fi

left_out=()
missing=()
if ! tests/tools.sh docker compose; then
    if [ "$profile" = ci ]; then
        echo "test: no Docker Engine with docker-compose, and CI leaves no test out" >&2
        exit 1
    fi
    left_out+=('not test(/docker/)')
    missing+=("NO DOCKER ENGINE (or no docker-compose)")
fi
if ! tests/tools.sh s3; then
    if [ "$profile" = ci ]; then
        echo "test: no S3-compatible server, and CI leaves no test out" >&2
        exit 1
    fi
    left_out+=('not test(/s3/)')
    missing+=("NO S3-COMPATIBLE SERVER")
fi

filter=()
if [ ${#left_out[@]} -gt 0 ]; then
    printf -v expression '%s & ' "${left_out[@]}"
    filter=(-E "${expression% & }")
    trap 'printf "test: %s: the tests that need one were NOT run\n" "${missing[@]}" >&2' EXIT
fi

cargo nextest run --locked --profile "$profile" "${filter[@]}" "$@"

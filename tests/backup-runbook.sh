#!/bin/sh
# The nightly backup of the cluster shop. The first command that fails ends it, with its exit code.
set -eu
goodcache backup shop
goodcache backup verify latest --cluster shop --read-data
goodcache backup prune --cluster shop --keep-last 3 --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --yes
goodcache backup copy latest --cluster shop --to "$FAR"

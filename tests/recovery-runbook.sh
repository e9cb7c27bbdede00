#!/bin/sh
# The recovery of the cluster shop, in five steps. The first command that fails ends it, with its exit code.
# SNAPSHOT is one of before the loss, KEY a key that is missed, NODE the address of any node,
# HOW is --undelete, or --flush --confirm shop.
set -eu

on_every_node() {
    nodes=$(redis-cli -e -u "redis://$NODE" CLUSTER NODES)
    for node in $(echo "$nodes" | sed -e 's/^[^ ]* //' -e 's/@.*//'); do
        redis-cli -e -u "redis://$node" "$@"
    done
}

# 1. Find the scope of the loss: is the cluster sound, which keys are gone or changed, and how went this one?
goodcache check shop
goodcache backup list shop
goodcache backup diff "$SNAPSHOT" live shop --keys || [ $? = 3 ]
goodcache backup log "$KEY" --cluster shop --since 2h

# 2. Stop the application's writes. CLIENT PAUSE is not the way: it would hold the restore up too.
on_every_node ACL SETUSER app -@write

# 3. Restore: what would be done, then do it.
goodcache restore "$SNAPSHOT" shop $HOW --dry-run
goodcache restore "$SNAPSHOT" shop $HOW

# 4. Verify: restore has proven what it sent; what differs still was written after the snapshot.
goodcache backup diff "$SNAPSHOT" live shop --keys || [ $? = 3 ]

# 5. Resume.
on_every_node ACL SETUSER app +@write
goodcache check shop

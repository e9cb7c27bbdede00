#!/bin/sh
# The recovery of the cluster shop, in five steps. The first command that fails ends it, with its exit code.
# SNAPSHOT is one of before the loss, KEY a key that is missed, NODE the address of any node,
# HOW is --undelete, or --flush --confirm shop. AT, where --follow was attached, is the moment before the
# loss that is wanted: restore then takes it instead of SNAPSHOT. Without it the script ends after step 1
# where SNAPSHOT is empty too: choose then.
set -eu
SNAPSHOT=${SNAPSHOT:-} AT=${AT:-}

on_every_node() {
    nodes=$(redis-cli -e -u "redis://$NODE" CLUSTER NODES)
    for node in $(echo "$nodes" | sed -e 's/^[^ ]* //' -e 's/@.*//'); do
        redis-cli -e -u "redis://$node" "$@"
    done
}

# 1. Find the scope of the loss: is the cluster sound, which keys are gone or changed, and how went this one?
goodcache check shop
goodcache backup list shop
goodcache backup diff "${SNAPSHOT:-latest}" live shop --keys || [ $? = 3 ]
goodcache backup log --key "$KEY" --cluster shop --since '2h ago'
[ -n "$SNAPSHOT$AT" ] || exit 0

# 2. Stop the application's writes. CLIENT PAUSE is not the way: it would hold the restore up too.
on_every_node ACL SETUSER app -@write

# 3. Restore: what would be done, then do it.
if [ -n "$AT" ]; then set -- latest shop --at "$AT"; else set -- "$SNAPSHOT" shop; fi
goodcache restore "$@" $HOW --dry-run
goodcache restore "$@" $HOW

# 4. Verify: restore has proven what it sent; what differs still was written after the snapshot. With AT
#    that is what came up to the moment too: read the key itself.
goodcache backup diff "${SNAPSHOT:-latest}" live shop --keys || [ $? = 3 ]
redis-cli -e -c -u "redis://$NODE" EXISTS "$KEY"

# 5. Resume.
on_every_node ACL SETUSER app +@write
goodcache check shop

#!/bin/sh
# Makes a small image of this machine's own redis-server, for an engine that has no image of Redis
# and no registry to pull one from. It behaves as the official images do: its entrypoint starts as
# root, gives /data to the user redis, and runs the server as that user.
#
#     tests/image.sh [TAG]        the tag is goodcache-test/redis:local when none is given
#
# Called by `make image` and by the tests. Does nothing when the image is already there.
set -eu

tag=${1:-goodcache-test/redis:local}

if ! docker version >/dev/null 2>&1; then
    echo "image.sh: no Docker Engine answers: $(docker version 2>&1 | tail -n 1)" >&2
    exit 1
fi
if docker image inspect "$tag" >/dev/null 2>&1; then
    exit 0
fi
for program in redis-server redis-cli busybox; do
    if ! command -v "$program" >/dev/null; then
        echo "image.sh: $program is missing (apt-get install redis-server redis-tools busybox-static)" >&2
        exit 1
    fi
done

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/etc" "$root/usr/local/bin" "$root/data" "$root/tmp" "$root/run"

cp -L "$(command -v busybox)" "$root/bin/busybox"
for applet in $("$root/bin/busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
for program in redis-server redis-cli; do
    cp -L "$(command -v "$program")" "$root/usr/local/bin/$program"
done

# The shared libraries, at the very paths at which the loader looks for them here.
for library in $(ldd "$root/bin/busybox" "$root"/usr/local/bin/redis-* 2>/dev/null |
    grep -o '/[^ ]*\.so[^ ]*' | sort -u); do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done

cat >"$root/usr/local/bin/docker-entrypoint.sh" <<'ENTRYPOINT'
#!/bin/sh
set -e
case $1 in *.conf | -*) set -- redis-server "$@" ;; esac
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis:redis {} +
    exec su -s /bin/sh redis -c 'exec "$0" "$@"' -- "$@"
fi
exec "$@"
ENTRYPOINT
chmod 755 "$root/usr/local/bin/docker-entrypoint.sh"

printf '%s\n' root:x:0:0:root:/root:/bin/sh redis:x:999:1000::/data:/bin/sh >"$root/etc/passwd"
printf '%s\n' root:x:0: redis:x:1000: >"$root/etc/group"

tar -C "$root" --owner=0 --group=0 -c . | docker import \
    --change 'ENTRYPOINT ["docker-entrypoint.sh"]' --change 'CMD ["redis-server"]' \
    --change 'WORKDIR /data' --change 'VOLUME /data' \
    --change 'ENV PATH=/usr/local/bin:/bin' --change 'EXPOSE 6379' \
    - "$tag" >/dev/null

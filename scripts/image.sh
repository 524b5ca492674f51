#!/usr/bin/env bash
# Builds docker/Dockerfile without an engine and without a registry, and runs the image against a throw-away PostgreSQL:
# buildah in a chroot, on a base image made by debootstrap. Needs root and some minutes, so it is no part of CI.
#
#   scripts/image.sh          builds and tries
#   scripts/image.sh try      tries what was built before
#
# Images and their storage stand in $DBHAUL_TEST_SERVERS/image (scripts/servers.sh says where that is). Packages come
# from the mirror that this machine's apt uses, crates from where its cargo gets them, Rust is this machine's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

suite=trixie more_suite=sid
place=${DBHAUL_TEST_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/dbhaul-test-servers}/image

say() { printf '\n# %s\n' "$*"; }
run() {
    printf '$ %s\n' "$*"
    "$@"
}
fail() { printf 'image: %s\n' "$*" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || fail "chroot isolation needs root"
as_root() { "$@"; }
# shellcheck source=scripts/debian.sh
. scripts/debian.sh

buildah() { command buildah --root "$place/storage" --runroot "$place/run" "$@"; }

# --- the images ---------------------------------------------------------------------------------------------------

# An image of nothing but Debian's minimal system, in the place of debian:trixie-slim.
make_base() {
    local root=$place/$suite container
    if [ ! -e "$root/etc/debian_version" ] || [ -e "$root/debootstrap" ]; then
        rm -rf "$root"
        run debootstrap --variant=minbase "$suite" "$root" "$(mirror)"
    fi
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    follow_machine "$root"
    container=$(buildah from scratch)
    buildah add -q "$container" "$root" / >/dev/null
    buildah commit -q --rm "$container" localhost/base >/dev/null
}

# A C compiler for the C in some crates, and a place for this machine's Rust.
make_builder() {
    local container
    container=$(buildah from localhost/base)
    buildah run --isolation chroot "$container" sh -c \
        'apt-get update -q && apt-get install -q -y --no-install-recommends gcc libc6-dev'
    buildah config --env PATH=/usr/local/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    buildah commit -q --rm "$container" localhost/builder >/dev/null
}

make_image() {
    local config=() file=${CARGO_HOME:-$HOME/.cargo}/config.toml
    if [ -e "$file" ]; then config=(--volume "$file:/root/.cargo/config.toml:ro"); fi
    run buildah build --isolation chroot --format docker -f docker/Dockerfile -t localhost/dbhaul \
        --build-arg BASE=localhost/base --build-arg BUILDER=localhost/builder \
        --build-arg MORE_SOURCE="deb $(mirror) $more_suite main" \
        --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
        --volume "$(rustc --print sysroot):/usr/local/rust:ro" "${config[@]}" .
}

build() {
    local missing=() program
    for program in buildah debootstrap; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        say "Install ${missing[*]}"
        run apt-get update -q
        run env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
    fi
    mkdir -p "$place"
    say "A base image and a builder, of this machine's mirror"
    make_base
    make_builder
    say "The image"
    make_image
}

# --- the trial ----------------------------------------------------------------------------------------------------

work='' server='' container=''
cleanup() {
    trap - EXIT INT TERM HUP
    if [ -n "$server" ]; then
        kill -QUIT "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    if [ -n "$container" ]; then buildah rm "$container" >/dev/null 2>&1 || true; fi
    if [ -n "$work" ]; then rm -rf "$work"; fi
}

# A throw-away PostgreSQL on loopback: $port, $password, and the URIs that the trial hands over.
start_server() {
    local bin folder
    for folder in /usr/lib/postgresql/*/bin; do
        if [ -x "$folder/initdb" ]; then bin=$folder; fi
    done
    [ -n "${bin:-}" ] || fail "no PostgreSQL server on this machine: scripts/servers.sh installs one"
    work=$(mktemp -d)
    chmod 711 "$work"
    install -d -o postgres "$work/server"
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    (umask 077 && printf '%s\n' "$password" >"$work/server/password" && chown postgres "$work/server/password")
    local as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    cd "$work"
    "${as[@]}" "$bin/initdb" --no-sync --no-instructions --locale=C.UTF-8 --encoding=UTF8 --auth=scram-sha-256 \
        --username=app --pwfile="$work/server/password" --pgdata="$work/server/data" >/dev/null
    "${as[@]}" "$bin/postgres" -D "$work/server/data" -p "$port" -c listen_addresses=127.0.0.1 -c fsync=off \
        -c unix_socket_directories= >"$work/server/log" 2>&1 &
    server=$!
    cd - >/dev/null
    until sql postgres 'SELECT 1' >/dev/null 2>&1; do
        kill -0 "$server" 2>/dev/null || { cat "$work/server/log" >&2; fail "PostgreSQL does not start"; }
        sleep 0.1
    done
    sql postgres 'CREATE DATABASE shop' 'CREATE DATABASE shop_restored' 'CREATE DATABASE big'
    sql shop "$(cat fixtures/chinook-postgres.sql)" >/dev/null
    # More than the 10 MB of disk that the image gets, also when it is compressed.
    sql big "CREATE TABLE big AS SELECT n, string_agg(md5(n::text || m), '') AS noise
        FROM generate_series(1, 30000) n, generate_series(1, 30) m GROUP BY n"
}

# sql DATABASE STATEMENT...
sql() {
    local database=$1 statement
    shift
    for statement; do
        PGHOST=127.0.0.1 PGPORT=$port PGUSER=app PGPASSWORD=$password psql -X -q -At -v ON_ERROR_STOP=1 \
            -d "$database" -f - <<<"$statement"
    done
}
uri() { printf 'postgres://app:%s@127.0.0.1:%s/%s' "$password" "$port" "$1"; }

# As an engine would run it, with the image's own user: buildah_run ENV... -- COMMAND...
buildah_run() {
    local env=()
    while [ "$1" != -- ]; do env+=(--env "$1"); shift; done
    shift
    buildah run --isolation chroot "${env[@]}" "$container" -- "$@"
}

# The image by hand, as process 1, read-only, without home and terminal, as a user that nobody knows, with 10 MB of disk:
# hardened ENV... -- ARGUMENT...    $hide names files of the image that are hidden.
hide=''
hardened() {
    local env=()
    while [ "$1" != -- ]; do env+=("$1"); shift; done
    shift
    # shellcheck disable=SC2016 # expanded in there
    unshare --pid --fork --kill-child --mount bash -c '
        set -e
        root=$1 hide=$2
        shift 2
        mount --make-rprivate /
        mount --bind "$root" "$root"
        for file in $hide; do if [ -e "$root$file" ]; then mount --bind /dev/null "$root$file"; fi; done
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs -o ro none "$root/dev/shm"
        mount -o remount,bind,ro "$root"
        mount -t tmpfs -o size=10m,mode=1777 none "$root/tmp"
        exec chroot --userspec=4711:4711 "$root" "$@"' \
        hardened "$root" "$hide" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin "${env[@]}" "${entrypoint[@]}" "$@" \
        </dev/null
}

# expect CODE COMMAND...
expect() {
    local wanted=$1 code=0
    shift
    "$@" || code=$?
    [ "$code" -eq "$wanted" ] || fail "$1 ended with $code instead of $wanted"
}

same() {
    local query='SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM'
    [ "$(sql "$1" "$query $3 t")" = "$(sql "$2" "$query $3 t")" ] || fail "$3 differs between $1 and $2"
}

show_image() {
    local packed
    packed=$(tar -c -C "$root" . | gzip | wc -c)
    printf '%s MB, %s MB as gzip; of this dbhaul %s MB\n' "$(($(du -sk "$root" | cut -f1) / 1000))" \
        "$((packed / 1000000))" "$(($(stat -c %s "$root/usr/local/bin/dbhaul") / 1000000))"
    printf 'entrypoint %s, user %s\n' "${entrypoint[*]}" "$(inspect .config.User)"
    buildah inspect --type image localhost/dbhaul | jq '.Docker.config | {Labels, Healthcheck}'
    printf '%s packages in the SBOM\n' "$(grep -c ^PackageName: "$root/usr/share/dbhaul/sbom.spdx")"
}
inspect() { buildah inspect --type image localhost/dbhaul | jq -r ".Docker$1"; }

try() {
    local archive
    say "The image"
    container=$(buildah from localhost/dbhaul)
    root=$(buildah mount "$container")
    mapfile -t entrypoint < <(inspect '.config.Entrypoint[]')
    show_image
    local clients program
    clients=$(buildah_run -- dbhaul doctor 2>&1)
    printf '%s\n' "$clients"
    for program in 17/bin/pg_dump 18/bin/pg_dump bin/mariadb-dump bin/mysqldump; do
        grep -q "/$program .*, dumps" <<<"$clients" || fail "no $program in the image"
    done
    start_server

    say "The README's line, as the image's user, with the URI in the environment"
    archive=$(buildah_run DATABASE_URL="$(uri shop)" -- dbhaul dump -o /backups/)
    ls -l "$root/$archive"
    buildah_run -- dbhaul verify "$archive"
    buildah_run STAGING="$(uri shop_restored)" -- dbhaul restore "$archive" env:STAGING
    same shop shop_restored album
    expect 10 buildah_run STAGING="$(uri shop_restored)" -- dbhaul restore "$archive" env:STAGING
    # shellcheck disable=SC2046 # words
    buildah_run DATABASE_URL="$(uri shop)" -- $(inspect '.config.Healthcheck.Test[1:][]')

    say "Process 1, read-only, a user without a name, no home, no terminal: streams out beside 10 MB of disk"
    hardened DATABASE_URL="$(uri big)" -- dump -o - >"$work/big.tar.gz"
    ls -l "$work/big.tar.gz"
    sql postgres 'CREATE DATABASE big_restored'
    install -m 644 "$work/big.tar.gz" "$root/backups/big.tar.gz"
    hardened -- verify /backups/big.tar.gz
    hardened DATABASE_URL="$(uri big_restored)" -- restore /backups/big.tar.gz
    same big big_restored big
    expect 9 hardened DATABASE_URL="$(uri shop)" -- dump

    say "The same without a shell"
    hide='/bin/sh /usr/bin/sh /usr/bin/dash /usr/bin/bash' hardened DATABASE_URL="$(uri shop)" -- dump -o - |
        gzip -t

    say "TERM, while the server holds a lock"
    stop_in_the_middle

    say "No password in the image's configuration or history"
    ! buildah inspect "$container" | grep -F "$password" || fail "the password is in the image"
    ! grep -rqF "$password" "$root/backups" "$root/tmp" "$root/var" || fail "the password is in a file"
    say "All of it was well"
}

stop_in_the_middle() {
    local code=0 dump first
    sql shop 'BEGIN; LOCK TABLE album; SELECT pg_sleep(1000)' >/dev/null 2>&1 &
    local lock=$!
    until [ "$(sql shop "SELECT count(*) FROM pg_locks WHERE relation = 'album'::regclass AND granted")" -gt 0 ]; do
        sleep 0.1
    done
    hardened DATABASE_URL="$(uri shop)" -- dump -o - >"$work/stopped" &
    dump=$!
    until [ "$(sql shop "SELECT count(*) FROM pg_locks WHERE NOT granted")" -gt 0 ]; do sleep 0.1; done
    first=$(pgrep -P "$(pgrep -P "$dump" unshare)")
    kill -TERM "$first"
    wait "$dump" || code=$?
    sql postgres 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE $$%pg_sleep%$$ AND pid <> pg_backend_pid()' >/dev/null
    wait "$lock" || true
    [ "$code" -eq 143 ] || fail "TERM ended with $code instead of 143"
    printf 'ended with 143\n'
}

trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
case ${1:-} in
    '') build; try ;;
    try) try ;;
    *) fail "usage: scripts/image.sh [try]" ;;
esac

#!/usr/bin/env bash
# dbhaul in five minutes: a throw-away PostgreSQL, a sample database, a dump, a look inside, a restore, a comparison.
# Prints each command before it runs. Ends with nothing running and nothing left but the build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n# %s\n' "$*"; }
exec 3>&1 # commands are shown here, also where their own output goes to a file
run() {
    printf '$ %s\n' "$*" >&3
    "$@"
}
# For PostgreSQL's own clients. dbhaul gets a URI, and nothing of these.
client() {
    PGHOST=127.0.0.1 PGPORT=$port PGUSER=app PGPASSWORD=$password "$@"
}
run_client() {
    printf '$ %s\n' "$*" >&3
    client "$@"
}
as_root() {
    if [ "$(id -u)" -eq 0 ]; then run "$@"; else run sudo "$@"; fi
}

say "PostgreSQL's server and client, of this Debian"
bin=
find_postgres() {
    local folder
    for folder in /usr/lib/postgresql/*/bin; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/pg_dump" ]; then bin=$folder; fi
    done
    [ -n "$bin" ]
}
if ! find_postgres; then
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql postgresql-client
    find_postgres || { echo "quickstart: no PostgreSQL server in /usr/lib/postgresql" >&2; exit 1; }
fi
export PATH=$bin:$PATH

say "Build dbhaul: quickly, for a first look. cargo install --path . makes the fast one"
run cargo build --locked -p dbhaul
target=${CARGO_TARGET_DIR:-${CARGO_BUILD_TARGET_DIR:-target}}
case $target in /*) ;; *) target=$PWD/$target ;; esac
PATH=$target/debug:$PATH
sample=$PWD/fixtures/chinook-postgres.sql

say "A throw-away PostgreSQL on a free port"
work=$(mktemp -d)
server=
cleanup() {
    trap - EXIT INT TERM HUP
    if [ -n "$server" ]; then
        kill -QUIT "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    cd /
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# PostgreSQL refuses root. A child of setpriv is the server itself, so that its process id is the one to end.
as_server=()
mkdir "$work/server" "$work/archives"
if [ "$(id -u)" -eq 0 ]; then
    as_server=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chmod 711 "$work"
    chown postgres: "$work/server"
fi
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
(umask 077 && printf '%s\n' "$password" >"$work/server/password")
if [ "$(id -u)" -eq 0 ]; then chown postgres: "$work/server/password"; fi
cd "$work"
run "${as_server[@]}" initdb --no-sync --no-instructions --encoding=UTF8 --locale=C.UTF-8 --auth=scram-sha-256 \
    --username=app --pwfile="$work/server/password" --pgdata="$work/server/data" >"$work/initdb.log" ||
    { cat "$work/initdb.log" >&2; exit 1; }
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null ||
    echo $((20000 + RANDOM % 20000)))
printf '$ %s &\n' "${as_server[*]} postgres -D $work/server/data -p $port"
"${as_server[@]}" postgres -D "$work/server/data" -p "$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories="$work/server" -c fsync=off >"$work/server.log" 2>&1 &
server=$!

for attempt in {1..100}; do
    if client psql -X -q -d postgres -c 'SELECT 1' >/dev/null 2>&1; then break; fi
    if [ "$attempt" -eq 100 ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$work/server.log" >&2
        exit 1
    fi
    sleep 0.1
done

say "A sample: the Chinook database"
run_client createdb shop
run_client createdb shop_restored
run_client psql -X -q -v ON_ERROR_STOP=1 -d shop -f "$sample"

say "Dump it. The URI is in DATABASE_URL, as on a platform"
export DATABASE_URL="postgres://app:$password@127.0.0.1:$port/shop"
export STAGING="postgres://app:$password@127.0.0.1:$port/shop_restored"
printf '$ archive=$(dbhaul dump -o archives/)\n'
archive=$(dbhaul dump -o archives/)
run ls -l "$archive"

say "Nothing but a tar.gz with a vendor's dump inside"
run tar tzvf "$archive"

say "Verify it: every checksum, that the dump is complete, and that it can be restored: into a scratch server"
run dbhaul verify --restore "$archive"

say "Restore it into a second database"
run dbhaul restore "$archive" env:STAGING

say "Compare both, table by table"
fingerprint() {
    client psql -X -q -At -v ON_ERROR_STOP=1 -d "$1" <<'SQL'
SELECT format('SELECT %L, count(*), coalesce(sum(hashtextextended(("a row".*)::text, 0)::numeric), 0) FROM %s AS "a row"',
        full_name, full_name)
    FROM pg_tables, LATERAL (SELECT format('%I.%I', schemaname, tablename) AS full_name) AS names
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY full_name \gexec
SQL
}
fingerprint shop >"$work/before"
fingerprint shop_restored >"$work/after"
[ -s "$work/before" ] || { echo "quickstart: nothing to compare" >&2; exit 1; }
run diff "$work/before" "$work/after"
printf '%-24s %8s  %s\n' table rows checksum
while IFS='|' read -r table rows sum; do printf '%-24s %8s  %s\n' "$table" "$rows" "$sum"; done <"$work/after"

say "The same, $(wc -l <"$work/after") tables. Everything but the build is removed again"

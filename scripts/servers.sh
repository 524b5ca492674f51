#!/usr/bin/env bash
# Installs the real servers and the tools that the tests need; does nothing when they are there.
#
#   this machine   PostgreSQL 15, MariaDB 10.11, sshd, PgBouncer, other people's tar programs (apt)
#   $CACHE/sid     a debootstrap root with PostgreSQL 18 and MySQL 9.7, servers and clients
#   $CACHE/bin     folders for --client-dir: the root's clients, run on this machine's own file tree
#
# CACHE is $DBHAUL_TEST_SERVERS, or dbhaul-test-servers in the user's cache folder.
set -euo pipefail

version=1 # raise it when something below changes: every cache is then brought up to date
cache=${DBHAUL_TEST_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/dbhaul-test-servers}
root=$cache/sid

machine_packages=(
    postgresql-15 postgresql-client-15 mariadb-server mariadb-client pgbouncer
    openssh-server openssh-client busybox libarchive-tools zstd bzip2 xz-utils python3 procps
    debootstrap util-linux
)
root_packages=(mysql-server-core mysql-client-core postgresql-18 postgresql-client-18)

say() { printf 'servers: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

in_root() {
    as_root chroot "$root" /usr/bin/env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

mirror() {
    local found=
    if [ -f /etc/apt/sources.list.d/debian.sources ]; then
        found=$(awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/debian.sources)
    elif [ -f /etc/apt/sources.list ]; then
        found=$(awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { print $i; exit } }' \
            /etc/apt/sources.list)
    fi
    [ -n "$found" ] || fail "no Debian mirror in /etc/apt/sources.list.d/debian.sources or /etc/apt/sources.list"
    printf '%s\n' "$found"
}

missing_packages() {
    local package
    for package in "${machine_packages[@]}"; do
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

# debootstrap's own marker for "not finished" is the folder /debootstrap inside the root.
bootstrap_root() {
    if [ -e "$root/etc/debian_version" ] && [ ! -e "$root/debootstrap" ]; then return 0; fi
    say "making a Debian sid root"
    as_root rm -rf "$root"
    as_root debootstrap --variant=minbase sid "$root" "$(mirror)"
}

install_in_root() {
    forbid_services "$root"
    # A cache may be thrown away at any time: no fsync after each unpacked file.
    echo force-unsafe-io | as_root tee "$root/etc/dpkg/dpkg.cfg.d/unsafe-io" >/dev/null
    # For a mirror over https: a minimal root has no certificates of its own.
    if [ -f /etc/ssl/certs/ca-certificates.crt ] && [ ! -e "$root/etc/ssl/certs/ca-certificates.crt" ]; then
        as_root mkdir -p "$root/etc/ssl/certs"
        as_root cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    fi
    # The root's apt follows this machine's: a proxy, and whether a mirror that stands still (its Release file has
    # expired) is taken. Signatures are checked either way.
    { apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-Valid-Until) ' || true; } |
        as_root tee "$root/etc/apt/apt.conf.d/99machine" >/dev/null
    as_root mkdir -p "$root/etc/postgresql-common/createcluster.d"
    echo 'create_main_cluster = false' |
        as_root tee "$root/etc/postgresql-common/createcluster.d/none.conf" >/dev/null
    # postgresql-common's postinst calls systemd-tmpfiles, which gives up where /proc is not mounted, as in this
    # root, and leaves postgresql-18 unconfigured. It only makes /run/postgresql: `true` stands in for it.
    if [ ! -L "$root/usr/bin/systemd-tmpfiles" ]; then
        in_root dpkg-divert --local --rename --add /usr/bin/systemd-tmpfiles
        in_root ln -s true /usr/bin/systemd-tmpfiles
    fi
    in_root dpkg --configure -a
    in_root apt-get update -q
    in_root apt-get install -q -y --no-install-recommends "${root_packages[@]}"
    in_root apt-get clean
}

# wrapper FOLDER NAME PROGRAM: a client of the root under the root's own loader, so that it sees this machine's
# files, pipes and /dev/fd/N.
wrapper() {
    local loader libraries
    case $(uname -m) in
        x86_64) loader=lib64/ld-linux-x86-64.so.2 libraries=usr/lib/x86_64-linux-gnu ;;
        aarch64) loader=lib/ld-linux-aarch64.so.1 libraries=usr/lib/aarch64-linux-gnu ;;
        *) fail "no clients of another root on $(uname -m)" ;;
    esac
    mkdir -p "$cache/bin/$1"
    # argv[0] is the wrapper's own path: pg_dumpall looks for pg_dump beside it.
    cat >"$cache/bin/$1/$2" <<END
#!/bin/sh
exec "$root/$loader" --argv0 "\$0" --library-path "$root/$libraries" "$root/$3" "\$@"
END
    chmod 755 "$cache/bin/$1/$2"
    "$cache/bin/$1/$2" --version >/dev/null || fail "$1/$2 does not start"
}

write_wrappers() {
    local program
    for program in mysqldump mysql; do
        wrapper mysql-9.7 "$program" "usr/bin/$program"
    done
    for program in pg_dump pg_restore psql pg_dumpall; do
        wrapper postgresql-18 "$program" "usr/lib/postgresql/18/bin/$program"
    done
}

# The stamp is written last. It speaks for the cache alone, which outlives machines: packages are asked each time.
install_on_machine
[ -d /run/sshd ] || as_root mkdir -p /run/sshd
if [ "$(cat "$cache/stamp" 2>/dev/null)" != "$version" ]; then
    mkdir -p "$cache"
    # Templates of data folders are made by the tests and belong to the servers' exact versions.
    as_root rm -rf "$cache/templates"
    bootstrap_root
    install_in_root
    write_wrappers
    echo "$version" >"$cache/stamp"
fi
say "ready in $cache"

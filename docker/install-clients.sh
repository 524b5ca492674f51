#!/bin/sh
# Runs in the image's build: installs CLIENTS, and MORE_CLIENTS and MYSQL_CLIENT from MORE_SOURCE.
set -eu
export DEBIAN_FRONTEND=noninteractive
here=$(dirname "$0")

# Debian's pg_dump without a version is a Perl script that nobody needs here: dbhaul takes the programs themselves. Of
# MariaDB's two dozen programs it takes two.
cat > /etc/dpkg/dpkg.cfg.d/dbhaul <<'END'
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/perl/*
path-exclude=/usr/lib/*/perl/*
path-exclude=/usr/lib/*/libperl.so*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/bin/mariadb-*
path-include=/usr/bin/mariadb-dump
END

add() { apt-get install -q -y --no-install-recommends "$@"; }

apt-get update -q
# shellcheck disable=SC2086 # a list of packages
add $CLIENTS

if [ -n "$MORE_SOURCE" ]; then
    find "$here/keys" -name '*.asc' -exec cp {} /usr/share/keyrings/ \;
    printf '%s\n' "$MORE_SOURCE" > /etc/apt/sources.list.d/more.list
    # Only what is asked for comes from there, and what that needs: BASE's own packages stay BASE's.
    suite=$(printf '%s\n' "$MORE_SOURCE" | sed 's/^deb *\(\[[^]]*\]\)* *[^ ]* *\([^ ]*\).*/\2/')
    printf 'Package: *\nPin: release n=%s\nPin-Priority: 90\n' "$suite" > /etc/apt/preferences.d/more
    apt-get update -q
    # shellcheck disable=SC2086 # a list of packages
    add -t "$suite" $MORE_CLIENTS
fi

if [ -n "$MYSQL_CLIENT" ]; then
    work=$(mktemp -d)
    cd "$work"
    chmod 755 .
    apt-get download -q "$MYSQL_CLIENT"
    version=$(dpkg-deb -f ./*.deb Version)
    dpkg-deb -x ./*.deb files
    mkdir -p "/opt/mysql/$version/bin"
    cp files/usr/bin/mysql files/usr/bin/mysqldump "/opt/mysql/$version/bin"
    dpkg-deb -f ./*.deb Package Version Depends > /opt/mysql/control
    apt-get satisfy -q -y --no-install-recommends ${suite:+-t "$suite"} "$(dpkg-deb -f ./*.deb Depends)"
    cd /
    rm -r "$work"
fi

rm -f /etc/apt/sources.list.d/more.list /etc/apt/preferences.d/more
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/ldconfig/* /var/log/dpkg.log /var/log/apt /var/log/alternatives.log
# Any user of group 0 may write here, as platforms with numbers of their own expect.
install -d -m 0775 -o 65532 -g 0 /backups

# shellcheck shell=bash
# Sourced by the scripts that make a Debian of their own. They say what `fail` and `as_root` are.

# Where this machine's apt gets its packages.
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

# follow_machine ROOT: its apt follows this machine's: a proxy, whether a mirror that stands still is taken (its Release
# file has expired), certificates for a mirror over https.
follow_machine() {
    local root=$1
    { apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-Valid-Until) ' || true; } |
        as_root tee "$root/etc/apt/apt.conf.d/99machine" >/dev/null
    if [ -f /etc/ssl/certs/ca-certificates.crt ] && [ ! -e "$root/etc/ssl/certs/ca-certificates.crt" ]; then
        as_root mkdir -p "$root/etc/ssl/certs"
        as_root cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    fi
}

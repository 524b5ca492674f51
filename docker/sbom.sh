#!/bin/sh
# Runs in the image's build: what the image consists of, as SPDX 2.3 (tag-value), in /usr/share/dbhaul/sbom.spdx.
# Debian's packages out of dpkg's list, the crates out of cargo's tree for this very build.
set -eu
here=$(dirname "$0")
out=/usr/share/dbhaul/sbom.spdx
mkdir -p "${out%/*}"

# part KIND NAME VERSION LICENCE PURL
part() {
    id=$(printf '%s-%s-%s' "$1" "$2" "$3" | tr -c 'A-Za-z0-9.-' -)
    printf '\nPackageName: %s\nSPDXID: SPDXRef-%s\nPackageVersion: %s\n' "$2" "$id" "$3"
    printf 'PackageDownloadLocation: NOASSERTION\nFilesAnalyzed: false\nPackageLicenseConcluded: NOASSERTION\n'
    printf 'PackageLicenseDeclared: %s\nPackageCopyrightText: NOASSERTION\n' "$4"
    printf 'ExternalRef: PACKAGE-MANAGER purl %s\n' "$(printf '%s' "$5" | sed 's/+/%2B/g; s/\(@[^?]*\):/\1%3A/')"
    printf 'Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-%s\n' "$id"
}

{
    printf 'SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\nDocumentName: dbhaul\n'
    printf 'DocumentNamespace: urn:uuid:%s\n' "$(cat /proc/sys/kernel/random/uuid)"
    printf 'Creator: Tool: dbhaul-docker-sbom.sh\nCreated: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    part app dbhaul "$VERSION" 'MIT OR Apache-2.0' "pkg:generic/dbhaul@$VERSION"

    # "serde v1.0.200|MIT OR Apache-2.0", also "... (proc-macro)|..." and "... (*)|..."
    sed -n 's/^\([^ ]*\) v\([^ |]*\)[^|]*|\(.*\)$/\1|\2|\3/p' "$here/crates.txt" | sort -u |
        while IFS='|' read -r name release licence; do
            [ "$name" != dbhaul ] || continue
            licence=$(printf '%s' "$licence" | sed 's,/, OR ,g')
            part crate "$name" "$release" "${licence:-NOASSERTION}" "pkg:cargo/$name@$release"
        done

    arch=$(dpkg --print-architecture)
    { dpkg-query -W -f '${Package}|${Version}\n'
      [ ! -e /opt/mysql/control ] || sed -n 's/^Package: //p; s/^Version: //p' /opt/mysql/control | paste -sd '|'
    } | while IFS='|' read -r name release; do
        part deb "$name" "$release" NOASSERTION "pkg:deb/debian/$name@$release?arch=$arch"
    done
} > "$out"

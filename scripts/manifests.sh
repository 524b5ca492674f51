#!/usr/bin/env bash
# Holds docker/compose.yaml and docker/kubernetes against their schemas (fixtures/schemas), and docker/systemd against
# systemd-analyze. Needs no engine, no cluster and no running systemd; scripts/servers.sh installs what it runs.
#
#   scripts/manifests.sh [FOLDER]      FOLDER holds the three, docker without it
set -euo pipefail
schemas=$(cd "$(dirname "${BASH_SOURCE[0]}")/../fixtures/schemas" && pwd)
folder=${1:-$(dirname "${BASH_SOURCE[0]}")/../docker}

# Debian's own: another python3 on PATH need not have the modules.
/usr/bin/python3 - "$schemas" "$folder" <<'END'
import glob, json, sys
import jsonschema, yaml

schemas, folder = sys.argv[1:]
trouble = []

def check(path, document, schema):
    validator = jsonschema.validators.validator_for(schema)(schema)
    for error in validator.iter_errors(document):
        error = jsonschema.exceptions.best_match([error])
        trouble.append(f"{path}: {'.'.join(map(str, error.absolute_path))}: {error.message}")

compose = f"{folder}/compose.yaml"
check(compose, yaml.safe_load(open(compose)), json.load(open(f"{schemas}/compose-spec.json")))

kubernetes = json.load(open(f"{schemas}/kubernetes-1.37.json"))
manifests = sorted(glob.glob(f"{folder}/kubernetes/*.yaml"))
assert manifests, f"{folder}/kubernetes holds no manifest"
for path in manifests:
    for document in yaml.safe_load_all(open(path)):
        kind = kubernetes["kinds"].get(document.get("kind"))
        if kind is None:
            trouble.append(f"{path}: no schema for the kind {document.get('kind')}")
        else:
            check(path, document, {**kubernetes, **kind})
sys.exit("\n".join(trouble) or None)
END

# systemd-analyze wants the program to be there.
units=$(mktemp -d)
trap 'rm -rf "$units"' EXIT
cp "$folder"/systemd/* "$units"
sed -i 's,^ExecStart=/usr/local/bin/dbhaul,ExecStart=/bin/true,' "$units"/*.service
# It ends with 0 after a word that it does not know.
said=$(systemd-analyze verify --man=no "$units"/* 2>&1) || true
[ -z "$said" ] || { printf '%s\n' "$said" >&2; exit 1; }
# 1.1 of 10: what is left is the network, and this machine's files to read.
systemd-analyze security --offline=true --no-pager --threshold=12 "$units"/*.service | tail -n 1

#!/usr/bin/env bash
# A clean release build without a compiler cache, and one after a changed controller.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export CCACHE_DISABLE=1
cmake --preset release -B "$folder" >/dev/null
seconds() { local from; from=$(date +%s); "$@" >/dev/null; echo $(($(date +%s) - from)); }
echo "clean build:            $(seconds ninja -C "$folder" programs) s   (target: 600 s on two cores)"
touch src/kernel/controllers/replica_set.cc
echo "one changed controller: $(seconds ninja -C "$folder" programs) s   (target: 20 s)"

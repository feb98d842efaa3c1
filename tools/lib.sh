# Functions shared by ./up and ./test. Sourced, never run.
# shellcheck shell=bash

ATOLL_START=${ATOLL_START:-$(date +%s)}

say() { printf '[%4ds] %s\n' "$(($(date +%s) - ATOLL_START))" "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

package_list() { # names of packages in packaging/packages/<name>.txt
  local name
  for name in "$@"; do grep -hv '^#' "$ATOLL_ROOT/packaging/packages/$name.txt"; done | sort -u
}

missing_packages() {
  local have
  have=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' 2>/dev/null | sed -n 's/^ii *//p' | sort -u)
  comm -23 <(package_list "$@") <(printf '%s\n' "$have")
}

# Installs the packages of the named lists that are missing. Services that packages bring stay stopped.
install_packages() {
  local missing policy=/usr/sbin/policy-rc.d made=
  missing=$(missing_packages "$@")
  [ -z "$missing" ] && return 0
  command -v apt-get >/dev/null || die "this system has no apt-get; Atoll installs on Debian 12. Install these yourself, then run ./up again: $(echo $missing)"
  say "installing $(wc -w <<<"$missing") packages"
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && made=1
  fi
  local log
  log=$(mktemp)
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
    [ -n "$made" ] && rm -f $policy
    tail -n 5 "$log" >&2
    die "apt-get could not install the packages (whole output: $log). Check the network and /etc/apt/sources.list, then run ./up again."
  fi
  [ -n "$made" ] && rm -f $policy
  rm -f "$log"
}

# build PRESET TARGET...: configures where needed and builds; shows the last lines where it fails.
build() {
  local preset=$1 log
  shift
  log="$ATOLL_ROOT/build/$preset.log"
  mkdir -p "$ATOLL_ROOT/build"
  if [ ! -f "$ATOLL_ROOT/build/$preset/build.ninja" ]; then
    (cd "$ATOLL_ROOT" && cmake --preset "$preset") >"$log" 2>&1 || {
      tail -n 20 "$log" >&2
      die "cmake could not configure the build (whole output: $log)"
    }
  fi
  if ! ninja -C "$ATOLL_ROOT/build/$preset" "$@" >"$log" 2>&1; then
    grep -aE 'error|FAILED' -A 5 "$log" | head -n 40 >&2
    die "the build failed (whole output: $log)"
  fi
}

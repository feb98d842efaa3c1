# What the machine must offer, each with one sentence that says the way out. Sourced by ./up.
# shellcheck shell=bash

require_linux() { [ "$(uname -s)" = Linux ] || die "Atoll runs on Linux; this is $(uname -s)"; }

require_root() {
  [ "$(id -u)" = 0 ] || die "Atoll makes containers and networks and needs root: sudo $(up_command)"
}

# Containers without rights fail late and darkly; look first.
require_rights() {
  unshare --mount --net --uts --ipc true 2>/dev/null ||
    die "this machine may not make namespaces; if it is a container itself, start it with --privileged"
  local folder
  for folder in /sys/fs/cgroup/pids /sys/fs/cgroup; do [ -d "$folder" ] && break; done
  if ! mkdir "$folder/atoll-probe.$$" 2>/dev/null; then
    die "cgroups at $folder cannot be written; if this is a container, start it with --privileged --cgroupns=private"
  fi
  rmdir "$folder/atoll-probe.$$"
  [ -w /proc/sys/net/ipv4/ip_forward ] ||
    die "/proc/sys cannot be written; if this is a container, start it with --privileged"
}

# Paths go into the configuration of the gateway, mount options and socket addresses, which are short.
PATH_LIMIT=80
require_plain_path() {
  case $1 in
    *[!A-Za-z0-9._/+@-]*) die "the path \"$1\" has characters other than letters, digits and . _ + @ - /; choose another --home DIR" ;;
  esac
  [ "${#1}" -le $PATH_LIMIT ] || die "the path $1 is longer than $PATH_LIMIT characters; choose a shorter --home DIR"
}

# A folder of a person's own is no place for an instance, which is removed with all it holds.
is_instance() { [ -e "$LIB/.atoll" ] || [ -e "$CONF" ] || [ -x "$LIB/atoll-supervise" ]; }
require_own_folders() {
  local folder
  is_instance && return 0
  for folder in "$ETC" "$DATA" "$RUN" "$LIB"; do
    [ -z "$(ls -A "$folder" 2>/dev/null)" ] || die "$folder is there and not Atoll's; name an empty folder with --home DIR"
  done
}

# The server's user has to get in: every folder on the way must be open to others (x).
require_home() {
  require_own_folders
  [ -n "$HOME_DIR" ] || return 0
  mkdir -p "$HOME_DIR" 2>/dev/null || die "the folder $HOME_DIR cannot be made; name one that you may write to"
  local folder=$HOME_DIR
  while [ "$folder" != / ]; do
    [ $((0$(stat -c %a "$folder") & 1)) = 1 ] ||
      die "$folder is closed to the user '$SERVER_USER'; open it with: chmod o+x $folder, or choose another --home DIR"
    folder=$(dirname "$folder")
  done
}

require_runnable() {
  runuser -u "$SERVER_USER" -- test -x "$LIB/atoll-server" ||
    die "the user '$SERVER_USER' cannot run $LIB/atoll-server; its file system may be mounted noexec: choose another --home DIR"
}

# To build takes more than to run, to start for the first time more than to start again.
BUILD_NEEDS_MB=3000
RUN_NEEDS_MB=200
require_disk() {
  local needed=$BUILD_NEEDS_MB
  [ ! -x "$ATOLL_ROOT/build/release/bin/atoll-server" ] || needed=$RUN_NEEDS_MB
  require_room "$ATOLL_ROOT" $needed "to build"
  [ "$action" = build ] || require_room "$DATA" $RUN_NEEDS_MB "to start"
}

require_room() { # FOLDER MB WHAT
  local folder=$1 free
  until [ -d "$folder" ]; do folder=$(dirname "$folder"); done
  free=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$2" ] || die "$folder has $free MB free, $2 MB are needed $3; free some space or use --home DIR on another disk"
}

# Stopping and removing. Sourced by ./up.
# shellcheck shell=bash

stop_instance() {
  if running; then
    say "stopping containers and programs"
    if with_systemd && systemctl --quiet is-active atoll.service; then
      systemctl stop atoll.service
    else
      control stop >/dev/null
    fi
    wait_for 60 not_running || die "atoll-supervise did not stop in 60 s; see $DATA/log/supervise.log"
  fi
  say "stopped"
}

# Everything that is no Debian package and no build: processes, mounts, namespaces, cgroups, rules, files.
reset_instance() {
  if [ ! -e "$LIB" ] && [ ! -e "$DATA" ] && [ ! -e "$ETC" ]; then
    [ -z "$HOME_DIR" ] || rmdir "$HOME_DIR" 2>/dev/null
    say "nothing is here"
    return 0
  fi
  require_own_folders
  stop_instance
  if [ -x "$LIB/atoll-agent" ] && [ -f "$CONF" ]; then
    "$LIB/atoll-agent" ${HOME_ARGUMENTS[@]+"${HOME_ARGUMENTS[@]}"} cleanup ||
      die "the node could not be cleaned up; the sentence above says what is left"
  fi
  unmount_all
  remove_unit
  rm -rf "$DATA" "$RUN" "$ETC" "$LIB" || die "not everything could be removed; the lines above name it"
  if [ -z "$HOME_DIR" ]; then
    local place
    rm -f /usr/local/bin/atoll
    for place in $COMPLETIONS; do rm -f "${place#*:}"; done
  else
    rmdir "$HOME_DIR" 2>/dev/null
  fi
  remove_user
  say "removed; Debian packages and $ATOLL_ROOT/build stay"
}

unmount_all() { # below the data and run folders, deepest first
  local point
  while read -r point; do umount -l "$point"; done < <(awk -v d="$DATA/" -v r="$RUN/" \
    '{ if (index($5, d) == 1 || index($5, r) == 1) print $5 }' /proc/self/mountinfo | sort -r)
}

remove_unit() {
  with_systemd && [ -e $UNIT ] || return 0
  systemctl --quiet disable atoll.service
  rm -f $UNIT
  systemctl daemon-reload
  systemctl reset-failed atoll.service 2>/dev/null
  return 0
}

# The user goes with the last instance that uses it.
remove_user() {
  getent passwd "$SERVER_USER" >/dev/null || return 0
  pgrep -u "$SERVER_USER" >/dev/null 2>&1 && return 0
  [ -e /etc/atoll ] && return 0
  userdel "$SERVER_USER" 2>/dev/null
  return 0
}

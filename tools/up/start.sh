# Starting, waiting and saying where everything is. Sourced by ./up.
# shellcheck shell=bash

control() { # a line to the running atoll-supervise
  "$LIB/atoll-supervise" ${HOME_ARGUMENTS[@]+"${HOME_ARGUMENTS[@]}"} "$@" 2>/dev/null
}

running() { [ -x "$LIB/atoll-supervise" ] && control status >/dev/null; }
not_running() { ! running; }

wait_for() { # SECONDS COMMAND...
  local end=$(($(date +%s) + $1))
  shift
  until "$@"; do
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 0.05
  done
}

start_instance() {
  write_unit
  if running; then
    settings_changed && CHANGED_PROGRAMS="$CHANGED_PROGRAMS atoll-server atoll-agent"
    restart_changed
    return 0
  fi
  require_free_ports
  require_free_ranges
  say "starting"
  launch_supervise
}

# Beside the sockets: the settings that the running programs have read.
settings_changed() { [ -f "$RUN/atoll.conf" ] && ! cmp -s "$CONF" "$RUN/atoll.conf"; }
remember_settings() { cp "$CONF" "$RUN/atoll.conf" || die "$RUN/atoll.conf cannot be written"; }

# Where systemd runs the machine, a unit starts Atoll after a reboot. Instances below a folder of their own, and machines
# without systemd, are started by ./up alone.
UNIT=/etc/systemd/system/atoll.service
with_systemd() { [ -z "$HOME_DIR" ] && [ -d /run/systemd/system ]; }

write_unit() {
  with_systemd || return 0
  cmp -s "$ATOLL_ROOT/packaging/systemd/atoll.service" $UNIT && return 0
  install -m 644 "$ATOLL_ROOT/packaging/systemd/atoll.service" $UNIT || die "$UNIT cannot be written"
  systemctl daemon-reload && systemctl --quiet enable atoll.service || die "systemd does not take $UNIT; see: systemctl status atoll"
}

# In a session of its own: it outlives this shell.
launch_supervise() {
  if with_systemd; then
    systemctl start atoll.service || die "systemd could not start atoll.service; see: journalctl -u atoll"
    return 0
  fi
  setsid "$LIB/atoll-supervise" ${HOME_ARGUMENTS[@]+"${HOME_ARGUMENTS[@]}"} >>"$DATA/log/supervise.log" 2>&1 </dev/null 8<&- 9<&- &
  disown
}

# A program that was replaced is restarted; containers do not notice. The supervisor first: it restarts the rest.
restart_changed() {
  local program
  case " $CHANGED_PROGRAMS " in
    *" atoll-supervise "*)
      say "replacing atoll-supervise"
      control detach >/dev/null
      launch_supervise
      ;;
  esac
  for program in $CHANGED_PROGRAMS; do
    case $program in
      atoll-keeper | atoll-server | atoll-agent)
        say "restarting $program"
        wait_for 10 running && control restart "${program#atoll-}" >/dev/null
        ;;
    esac
  done
}

api_url() { echo "https://127.0.0.1:$(setting API_PORT)"; }
api_ready() { curl -fsSk --noproxy '*' --max-time 2 "$(api_url)/readyz" >/dev/null 2>&1; }
node_ready() { "$LIB/atoll" --kubeconfig "$DATA/pki/admin.kubeconfig" get nodes -o json 2>/dev/null | grep '"type": *"Ready"' >/dev/null; }

gateway_ready() { curl -s --noproxy '*' -o /dev/null --max-time 2 "http://127.0.0.1:$(setting HTTP_PORT)/"; } # whatever it answers

wait_until_ready() {
  wait_for 60 api_ready || not_ready server "the API did not become ready"
  wait_for 60 node_ready || not_ready agent "the node did not register"
  wait_for 60 gateway_ready || not_ready haproxy "the gateway did not answer"
}

not_ready() { # PROGRAM WHAT
  tail -n 3 "$DATA/log/$1.log" >&2
  running || die "$2: atoll-supervise does not run; its reason stands at the end of $DATA/log/supervise.log"
  die "$2 in 60 s; the lines above are the end of $DATA/log/$1.log"
}

publish_kubeconfig() {
  cmp -s "$DATA/pki/admin.kubeconfig" "$KUBECONFIG_FILE" && return 0
  install -m 600 "$DATA/pki/admin.kubeconfig" "$KUBECONFIG_FILE" || die "$KUBECONFIG_FILE cannot be written"
}

gateway_url() { # http, with the port where it is not 80
  local port
  port=$(setting HTTP_PORT)
  if [ "$port" = 80 ]; then echo http://localhost; else echo "http://localhost:$port"; fi
}

print_status() {
  [ -f "$CONF" ] || die "there is no instance here; start one with: $(up_command)"
  if ! running; then
    [ "$(id -u)" = 0 ] || die "only root sees whether Atoll runs: sudo $(up_command) --status"
    printf 'Atoll is not running; start it with: %s\n' "$(up_command)"
    return 1
  fi
  control status
  printf 'deploy:     export KUBECONFIG=%s; kubectl create deployment web --image=IMAGE --port=80\n' "$KUBECONFIG_FILE"
  printf '            (no kubectl at hand: %s apply -f FILE; images: %s image load FILE)\n' "$(atoll_command)" "$(atoll_command)"
  printf 'open:       curl -H "Host: NAME.localhost" http://127.0.0.1:%s/ works anywhere; browsers open %s\n' "$(setting HTTP_PORT)" \
    "$(gateway_url | sed 's|//localhost|//NAME.localhost|')"
  printf 'api: %s\nkubeconfig: %s\ngateway: %s\n' "$(api_url)" "$KUBECONFIG_FILE" "$(gateway_url)"
}

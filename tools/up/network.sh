# Ports and address ranges: chosen at the first start, checked at each. Sourced by ./up.
# shellcheck shell=bash

port_free() { [ -z "$(ss -Hltn "sport = :$1")" ]; }

port_owner() { ss -Hltnp "sport = :$1" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 (process \2)/p' | head -n 1; }

# The first free port from $1 on, but for the others given; in FOUND_PORT.
next_free_port() {
  local from=$1 end=$(($1 + 200))
  shift
  for ((FOUND_PORT = from; FOUND_PORT < end; ++FOUND_PORT)); do
    [[ " $* " == *" $FOUND_PORT "* ]] || ! port_free "$FOUND_PORT" || return 0
  done
  die "no port from $from to $((end - 1)) is free; stop what listens there (ss -ltnp)"
}

choose_ports() {
  next_free_port 6443
  API_PORT=$FOUND_PORT
  if [ -z "$HOME_DIR" ] && port_free 80 && port_free 443; then
    HTTP_PORT=80 HTTPS_PORT=443
    return 0
  fi
  next_free_port 8080 "$API_PORT"
  HTTP_PORT=$FOUND_PORT
  next_free_port 8443 "$API_PORT" "$HTTP_PORT"
  HTTPS_PORT=$FOUND_PORT
}

# Programs of this instance that outlived their supervisor hold its ports rightly: they are taken over.
survivors() {
  local file
  for file in "$RUN"/*.pid; do
    [ -r "$file" ] && [ -d "/proc/$(cut -d ' ' -f 1 "$file")" ] && return 0
  done
  return 1
}

require_free_ports() {
  local key port
  survivors && return 0
  for key in API_PORT HTTP_PORT HTTPS_PORT; do
    port=$(setting $key)
    port_free "$port" ||
      die "port $port is taken by $(port_owner "$port"); stop that, or set another $key in $CONF and run $(up_command) again"
  done
}

# 10.244.0.0/16 and 10.96.0.0/16, or the next pair that no route of the host and no other instance uses.
choose_addresses() {
  local n pods services link clash advice chosen="${ATOLL_POD_CIDR:-}${ATOLL_SERVICE_CIDR:-}"
  advice="choose ranges that are free with ATOLL_POD_CIDR=A.B.0.0/16 ATOLL_SERVICE_CIDR=C.D.0.0/16 $(up_command)"
  for n in $(seq 0 60); do
    pods=${ATOLL_POD_CIDR:-10.$((244 - n)).0.0/16}
    services=${ATOLL_SERVICE_CIDR:-10.$((96 + n)).0.0/16}
    link=169.254.$((20 + n)).10
    clash=$(range_clash "$pods" "$services" "$link/32") || die "$clash; $advice"
    if [ -z "$clash" ]; then
      POD_CIDR=$pods SERVICE_CIDR=$services LINK_IP=$link DNS_IP=$(dns_address "$services")
      return 0
    fi
    case $chosen,$clash in
      ,* | *" $link/32 "*) ;; # the next pair, or the next link-local address
      *) die "$clash; $advice" ;;
    esac
  done
  die "every address range that Atoll tries clashes with a route of this host (ip route); $advice"
}

# After the first start: a VPN or another network may have come since.
require_free_ranges() {
  local clash
  survivors && return 0
  clash=$(range_clash --foreign "$(setting POD_CIDR)" "$(setting SERVICE_CIDR)") || die "$CONF: $clash; mend it and run $(up_command) again"
  [ -z "$clash" ] || die "$clash; take that route away, or move Atoll: $(up_command) --reset --yes, then $(up_command)"
}

dns_address() { python3 -c 'import ipaddress, sys; print(ipaddress.ip_network(sys.argv[1])[10])' "$1"; }

# Prints how one of the ranges clashes with another, a route of the host or a name server; nothing where none does.
range_clash() { python3 "$ATOLL_ROOT/tools/up/ranges.py" "$@"; }

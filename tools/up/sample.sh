# The sample application: a web server that counts visits in Redis, in images made here from Debian packages.
# shellcheck shell=bash

deploy_sample() {
  install_packages sample
  local atoll work
  atoll="$LIB/atoll --kubeconfig $KUBECONFIG_FILE"
  [ -z "$HOME_DIR" ] || atoll="$LIB/atoll --home $HOME_DIR"
  work=$(mktemp -d)
  if ! $atoll image list -o json 2>/dev/null | grep -q 'sample/web'; then
    say "making two images from Debian packages"
    "$ATOLL_ROOT/images/sample/build" "$work" || die "the sample's images could not be made; the lines above say why"
    $atoll image load "$work/sample.tar" >/dev/null || die "the sample's images could not be loaded"
  fi
  rm -rf "$work"
  say "deploying"
  $atoll apply -f "$ATOLL_ROOT/images/sample/sample.yaml" >/dev/null || die "the sample could not be applied"
  local port
  port=$(setting HTTP_PORT)
  SAMPLE_URL=http://hello.localhost
  [ "$port" = 80 ] || SAMPLE_URL=$SAMPLE_URL:$port
  sample_answers() { [ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 5 -H 'Host: hello.localhost' "http://127.0.0.1:$port/")" = 200 ]; }
  wait_for 120 sample_answers || die "the sample did not answer in 120 s; look with: $atoll get pods -n sample"
}

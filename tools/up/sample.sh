# The sample application: a web server that counts visits in Redis, in images made here from Debian packages.
# shellcheck shell=bash

SAMPLE_ARCHIVE="$ATOLL_ROOT/build/sample/sample.tar"

# Once for each state of the recipe; a new recipe makes them anew.
make_sample_images() {
  local recipe="$ATOLL_ROOT/images" newer
  install_packages sample
  mkdir -p "$(dirname "$SAMPLE_ARCHIVE")"
  lock_folder "$(dirname "$SAMPLE_ARCHIVE")" 9
  newer=$(find "$recipe" -type f -newer "$SAMPLE_ARCHIVE" 2>&1)
  if [ -n "$newer" ]; then
    say "making two images from Debian packages"
    "$recipe/sample/build" "$(dirname "$SAMPLE_ARCHIVE")" || die "the sample's images could not be made; the lines above say why"
  fi
  exec 9<&-
}

deploy_sample() {
  local atoll port
  atoll=("$LIB/atoll" --kubeconfig "$KUBECONFIG_FILE")
  if ! "${atoll[@]}" image list -o json 2>/dev/null | grep 'sample/web' >/dev/null; then
    make_sample_images
    "${atoll[@]}" image load "$SAMPLE_ARCHIVE" >/dev/null || die "the sample's images could not be loaded"
  fi
  say "deploying"
  "${atoll[@]}" apply -f "$ATOLL_ROOT/images/sample/sample.yaml" >/dev/null || die "the sample could not be applied"
  port=$(setting HTTP_PORT)
  SAMPLE_URL=http://hello.localhost
  [ "$port" = 80 ] || SAMPLE_URL=$SAMPLE_URL:$port
  wait_for 120 sample_answers "$port" || die "the sample did not answer in 120 s; look with: $(atoll_command) get pods -n sample"
}

sample_answers() { # PORT
  [ "$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' --max-time 5 -H 'Host: hello.localhost' "http://127.0.0.1:$1/")" = 200 ]
}

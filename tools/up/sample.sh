# The sample application: a web server that counts visits in Redis, in images made here from Debian packages.
# shellcheck shell=bash

SAMPLE_FOLDER="$ATOLL_ROOT/build/sample"

# Once for each state of the recipe.
make_sample_images() {
  local images="$ATOLL_ROOT/images" recipe
  install_packages sample
  mkdir -p "$SAMPLE_FOLDER"
  lock_folder "$SAMPLE_FOLDER" 9
  recipe=$(cat "$images/archive.py" "$images"/sample/{build,images.json,web.py} | sha256sum)
  if [ ! -f "$SAMPLE_FOLDER/sample.tar" ] || [ "$recipe" != "$(cat "$SAMPLE_FOLDER/recipe" 2>/dev/null)" ]; then
    say "making two images from Debian packages"
    "$images/sample/build" "$SAMPLE_FOLDER" || die "the sample's images could not be made; the lines above say why"
    printf '%s\n' "$recipe" >"$SAMPLE_FOLDER/recipe"
  fi
  exec 9<&-
}

deploy_sample() {
  local atoll port
  atoll=("$LIB/atoll" --kubeconfig "$KUBECONFIG_FILE")
  if ! "${atoll[@]}" image list -o json 2>/dev/null | grep 'sample/web' >/dev/null; then
    make_sample_images
    "${atoll[@]}" image load "$SAMPLE_FOLDER/sample.tar" >/dev/null || die "the sample's images could not be loaded"
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

// The scripts are small: each asks `atoll complete -- WORDS...` (complete.h), which knows the
// command line and the cluster.
#include <cstdio>
#include <string>

#include "cli/verbs.h"

namespace atl::cli {
namespace {

// clang-format off
constexpr char kBash[] = R"sh(# bash completion of atoll: source <(atoll completion bash)
_atoll() {
  local line=${COMP_LINE:0:COMP_POINT} words typed
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  typed=${words[-1]}
  mapfile -t COMPREPLY < <("${words[0]}" complete -- "${words[@]:1}" 2>/dev/null)
  if [[ ${COMPREPLY[0]-} == :files: ]]; then
    COMPREPLY=()
    compopt -o default 2>/dev/null
    return
  fi
  # bash completes what stands after the last break character.
  if [[ $typed == *[:=]* ]]; then
    local before=${typed%"${typed##*[:=]}"}
    COMPREPLY=("${COMPREPLY[@]#"$before"}")
  fi
  [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != */ ]] || compopt -o nospace 2>/dev/null
}
complete -F _atoll atoll
)sh";

constexpr char kZsh[] = R"sh(#compdef atoll
# zsh completion of atoll: as _atoll in a folder of $fpath, or source <(atoll completion zsh)
_atoll() {
  local -a found
  found=("${(@f)$("${words[1]}" complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
  if [[ $found[1] == :files: ]]; then
    _files
  elif [[ -n $found[1] ]]; then
    compadd -- $found
  fi
}
if [[ ${funcstack[1]-} == _atoll ]]; then
  _atoll "$@"
else
  compdef _atoll atoll
fi
)sh";

constexpr char kFish[] = R"sh(# fish completion of atoll: atoll completion fish | source
function __atoll_complete
    set -l words (commandline -opc)
    set -l found ($words[1] complete -- $words[2..] (commandline -ct | string collect --allow-empty) 2>/dev/null)
    if test "$found[1]" = :files:
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $found
    end
end
complete -c atoll -f -a '(__atoll_complete)'
)sh";
// clang-format on

}  // namespace

Result<> completion(const std::string& shell) {
  const char* script = shell == "bash"   ? kBash
                       : shell == "zsh"  ? kZsh
                       : shell == "fish" ? kFish
                                         : nullptr;
  if (!script)
    return Error(Code::kInvalid,
                 "completion is there for bash, zsh and fish, not for \"" + shell + "\"");
  std::fputs(script, stdout);
  return Unit{};
}

}  // namespace atl::cli

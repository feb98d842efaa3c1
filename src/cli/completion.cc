#include <cstdio>
#include <string>

#include "cli/verbs.h"

namespace atl::cli {
namespace {

constexpr char kVerbs[] =
    "apply completion delete doctor exec get image kubeconfig logs status version";
constexpr char kTypes[] =
    "pods deployments services ingresses configmaps secrets namespaces nodes events all";

constexpr char kBash[] = R"sh(_atoll() {
  local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]}
  case $COMP_CWORD-$verb in
    1-*) COMPREPLY=($(compgen -W "%s" -- "$word")) ;;
    2-get | 2-delete) COMPREPLY=($(compgen -W "%s" -- "$word")) ;;
    2-image) COMPREPLY=($(compgen -W "list load pull rm" -- "$word")) ;;
    2-completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$word")) ;;
    *-get | *-delete) COMPREPLY=($(compgen -W "$(atoll get "${COMP_WORDS[2]}" -o name 2>/dev/null | cut -d/ -f2)" -- "$word")) ;
;
    *-logs | *-exec) COMPREPLY=($(compgen -W "$(atoll get pods -o name 2>/dev/null | cut -d/ -f2)" -- "$word")) ;
    ;
    *) COMPREPLY=($(compgen -f -- "$word")) ;
    ;
    esac
    }
complete -F _atoll atoll
)sh";

constexpr char kZsh[] = R"sh(#compdef atoll
_atoll() {
  if (( CURRENT == 2 )); then compadd -- %s
  elif (( CURRENT == 3 )) && [[ $words[2] == (get|delete) ]]; then compadd -- %s
  elif (( CURRENT == 3 )) && [[ $words[2] == image ]]; then compadd -- list load pull rm
  elif [[ $words[2] == (logs|exec) ]]; then compadd -- $(atoll get pods -o name 2>/dev/null | cut -d/ -f2)
  else _files
  fi
}
_atoll "$@"
)sh";

constexpr char kFish[] = R"sh(complete -c atoll -f
complete -c atoll -n __fish_use_subcommand -a "%s"
complete -c atoll -n "__fish_seen_subcommand_from get delete" -a "%s"
complete -c atoll -n "__fish_seen_subcommand_from image" -a "list load pull rm"
complete -c atoll -n "__fish_seen_subcommand_from logs exec" -a "(atoll get pods -o name 2>/dev/null | cut -d/ -f2)"
complete -c atoll -n "__fish_seen_subcommand_from apply load" -F
)sh";

}  // namespace

Result<> completion(const std::string& shell) {
  const char* script = shell == "bash"   ? kBash
                       : shell == "zsh"  ? kZsh
                       : shell == "fish" ? kFish
                                         : nullptr;
  if (!script)
    return Error(Code::kInvalid,
                 "completion is there for bash, zsh and fish, not for \"" + shell + "\"");
  std::string text = script;
  text.replace(text.find("%s"), 2, kVerbs);
  text.replace(text.find("%s"), 2, kTypes);
  std::fputs(text.c_str(), stdout);
  return Unit{};
}

}  // namespace atl::cli

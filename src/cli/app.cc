#include "cli/app.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include <CLI/CLI.hpp>

#include "cli/complete.h"
#include "cli/help.h"
#include "cli/session.h"
#include "cli/usage.h"
#include "cli/verbs.h"

namespace atl::cli {
namespace {

using Words = std::vector<std::string>;

Exit exit_of(Code code) {
  switch (code) {
    case Code::kNotFound:
      return Exit::kNotFound;
    case Code::kConflict:
    case Code::kExists:
      return Exit::kConflict;
    case Code::kUnauthorized:
    case Code::kForbidden:
    case Code::kTooMany:
    case Code::kExhausted:
      return Exit::kDenied;
    case Code::kTimeout:
      return Exit::kTimeout;
    case Code::kCancelled:
      return Exit::kInterrupted;
    case Code::kBadRequest:
    case Code::kMethodNotAllowed:
    case Code::kNotAcceptable:
    case Code::kGone:
    case Code::kTooLarge:
    case Code::kUnsupportedMedia:
    case Code::kInvalid:
    case Code::kInternal:
    case Code::kUnavailable:
      return Exit::kFailed;
  }
  return Exit::kFailed;
}

// The command line as CLI11 sees it. Each verb sets what runs after parsing.
class App {
 public:
  App() : app_("Atoll: one computer from one machine or many", "atoll") {
    app_.formatter(make_help_formatter());
    app_.require_subcommand(1);
    app_.add_option("--home", common_.home, "instance below this folder")
        ->envname("ATOLL_HOME")
        ->take_last()
        ->type_name("DIR");
    app_.add_option("--kubeconfig", common_.kubeconfig, "kubeconfig file")->type_name("FILE");
    app_.add_option("--context", common_.context, "context of the kubeconfig")
        ->type_name("CONTEXT");
    app_.set_version_flag("--version", "client: " ATOLL_VERSION, "version of this command");
    app_.fallthrough();
    app_.footer(
        "Examples:\n  atoll status\n  atoll image load app.tar\n  atoll apply -f app.yaml\n"
        "  atoll get pods -A\n  atoll logs -f deploy/web\n  atoll exec -it deploy/web -- sh\n\n"
        "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 conflict, 5 denied, 6 timeout,\n"
        "130 interrupted.");
    add_objects();
    add_pods();
    add_images();
    add_instance();
  }

  int run(int argc, char** argv) {
    if (argc > 2 && std::string_view(argv[1]) == "complete" && std::string_view(argv[2]) == "--") {
      if (const char* home = std::getenv("ATOLL_HOME")) common_.home = home;
      std::fputs(text(complete(app_, common_, {argv + 3, argv + argc})).c_str(), stdout);
      return int(Exit::kOk);
    }
    try {
      app_.parse(argc, argv);
    } catch (const CLI::Success& success) {
      return app_.exit(success);
    } catch (const CLI::ParseError& error) {
      std::fputs(usage_error(app_, error, kubeconfig_file(common_)).c_str(), stderr);
      return int(Exit::kUsage);
    }
    const auto done = action_();
    // What was printed may still be on its way: a full disk is a failure, too.
    if (const bool written = std::fflush(stdout) == 0 && !std::ferror(stdout); !written && done) {
      std::fprintf(stderr, "error: the output cannot be written: %s\n", std::strerror(errno));
      return int(Exit::kFailed);
    }
    if (done) return exit_code_;
    std::fprintf(stderr, "error: %s\n", done.error().message().c_str());
    return int(exit_of(done.error().code()));
  }

 private:
  CLI::App* verb(const char* name, const char* what, const char* examples,
                 std::function<Result<>()> action) {
    CLI::App* sub = app_.add_subcommand(name, what);
    sub->footer(std::string("Examples:\n") + examples);
    sub->callback([this, action = std::move(action)] { action_ = action; });
    return sub;
  }

  static int help(Words words) {
    words.insert(words.begin(), "atoll");
    words.emplace_back("--help");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    return App().run(int(argv.size()), argv.data());
  }

  void with_namespace(CLI::App* sub) {
    sub->add_option("-n,--namespace", common_.ns, "namespace")->type_name("NAMESPACE");
  }
  void with_output(CLI::App* sub) {
    const auto read = [this](const std::string& text) {
      constexpr std::pair<const char*, Output> kFormats[] = {{"table", Output::kTable},
                                                             {"wide", Output::kWide},
                                                             {"json", Output::kJson},
                                                             {"yaml", Output::kYaml},
                                                             {"name", Output::kName}};
      for (const auto& [name, output] : kFormats) {
        if (text == name) return void(common_.output = output);
      }
      const bool template_text = text.find('=') != std::string::npos;
      throw CLI::ValidationError("--output takes table, wide, json, yaml or name, not " + text +
                                 (template_text ? "; for parts of it: -o json | jq" : ""));
    };
    sub->add_option_function<std::string>("-o,--output", read, "table, wide, json, yaml or name")
        ->type_name("FORMAT");
  }

  void add_objects() {
    CLI::App* get_verb =
        verb("get", "List objects",
             "  atoll get pods\n  atoll get deploy/web -o yaml\n  atoll get all -A",
             [this] { return get(common_, get_); });
    get_verb->add_option("what", get_.what, "TYPE [NAME...] or TYPE/NAME...")
        ->required()
        ->type_name("OBJECT");
    get_verb->add_option("-l,--selector", get_.selector, "labels, such as app=web")
        ->type_name("LABELS");
    get_verb->add_option("--field-selector", get_.field_selector, "fields, such as spec.nodeName=a")
        ->type_name("FIELDS");
    get_verb->add_flag("-A,--all-namespaces", common_.all_namespaces, "every namespace");
    get_verb->add_flag("-w,--watch", get_.watch, "follow changes");
    with_namespace(get_verb);
    with_output(get_verb);

    CLI::App* apply_verb = verb("apply", "Make objects as files say",
                                "  atoll apply -f app.yaml\n  cat app.yaml | atoll apply -f -",
                                [this] { return apply(common_, apply_); });
    apply_verb->add_option("-f,--filename", apply_.files, "file, folder or - for standard input")
        ->required()
        ->type_name("FILE");
    apply_verb->add_flag("--force", apply_.force, "take over fields that others manage");
    apply_verb->add_flag("--dry-run", apply_.dry_run, "check only");
    with_namespace(apply_verb);
    with_output(apply_verb);

    CLI::App* delete_verb =
        verb("delete", "Delete objects",
             "  atoll delete pod web-1\n  atoll delete -f app.yaml\n  atoll delete pods -l app=web",
             [this] { return remove(common_, delete_); });
    delete_verb->add_option("what", delete_.what, "TYPE NAME... or TYPE/NAME...")
        ->type_name("OBJECT");
    delete_verb->add_option("-f,--filename", delete_.files, "files whose objects to delete")
        ->type_name("FILE");
    delete_verb->add_option("-l,--selector", delete_.selector, "labels")->type_name("LABELS");
    delete_verb->add_flag("--now", delete_.now, "without grace");
    delete_verb->add_flag("--wait,!--no-wait", delete_.wait, "until they are gone");
    delete_verb->add_flag("--ignore-not-found", delete_.ignore_missing,
                          "missing objects are no error");
    delete_verb->parse_complete_callback([this] {
      if (delete_.what.empty() == delete_.files.empty())
        throw CLI::ValidationError("name objects (TYPE NAME) or files (-f FILE), one of the two");
    });
    with_namespace(delete_verb);
    with_output(delete_verb);
  }

  void add_pods() {
    CLI::App* logs_verb = verb("logs", "Print a container's output",
                               "  atoll logs web-1\n  atoll logs -f deploy/web --tail 20",
                               [this] { return logs(common_, logs_); });
    logs_verb->add_option("pod", logs_.pod, "POD or TYPE/NAME")->required()->type_name("POD");
    logs_verb->add_option("-c,--container", logs_.container, "container")->type_name("CONTAINER");
    logs_verb->add_flag("-f,--follow", logs_.follow, "go on as it grows");
    logs_verb->add_flag("-p,--previous", logs_.previous, "of the container before the restart");
    logs_verb->add_flag("--timestamps", logs_.timestamps, "a time before each line");
    logs_verb->add_option("--tail", logs_.tail, "the last lines only")->type_name("LINES");
    logs_verb->add_option("--since", logs_.since_seconds, "no older than 90s, 5m, 2h")
        ->transform(
            CLI::AsNumberWithUnit(std::map<std::string, int64_t>{{"s", 1}, {"m", 60}, {"h", 3600}}))
        ->type_name("TIME");
    with_namespace(logs_verb);

    CLI::App* exec_verb = verb("exec", "Run a command in a container",
                               "  atoll exec web-1 -- ls /\n  atoll exec -it deploy/web -- sh",
                               [this] { return exec(common_, exec_, exit_code_); });
    exec_verb->add_option("pod", exec_.pod, "POD or TYPE/NAME")->required()->type_name("POD");
    exec_verb->add_option("-c,--container", exec_.container, "container")->type_name("CONTAINER");
    exec_verb->add_flag("-i,--stdin", exec_.stdin_open, "pass standard input");
    exec_verb->add_flag("-t,--tty", exec_.tty, "a terminal");
    exec_verb->add_option("command", exec_.command, "command and arguments, after --")
        ->required()
        ->type_name("COMMAND");
    with_namespace(exec_verb);
  }

  void add_images() {
    CLI::App* image = app_.add_subcommand("image", "Images of the node");
    image->require_subcommand(1);
    image->footer(
        "Examples:\n  docker save app:1 -o app.tar && atoll image load app.tar\n  atoll image "
        "list");
    const auto sub = [&](const char* name, const char* what, const char* examples,
                         std::function<Result<>()> action) {
      CLI::App* out = image->add_subcommand(name, what);
      out->footer(std::string("Examples:\n") + examples);
      out->callback([this, action = std::move(action)] { action_ = action; });
      with_output(out);
      return out;
    };
    sub("list", "List images", "  atoll image list\n  atoll image list -o json",
        [this] { return image_list(common_); });
    sub("load", "Load a Docker or OCI archive",
        "  docker save app:1 -o app.tar && atoll image load app.tar",
        [this] { return image_load(common_, argument_); })
        ->add_option("file", argument_, "archive")
        ->required()
        ->type_name("FILE");
    sub("pull", "Pull from a registry", "  atoll image pull registry.example.com/team/app:1",
        [this] { return image_pull(common_, argument_); })
        ->add_option("ref", argument_, "reference")
        ->required()
        ->type_name("REFERENCE");
    sub("rm", "Remove an image", "  atoll image rm app:1",
        [this] { return image_remove(common_, argument_); })
        ->add_option("ref", argument_, "reference or id")
        ->required()
        ->type_name("IMAGE");
  }

  void add_instance() {
    with_output(verb("status", "Show what runs", "  atoll status\n  atoll status -o json",
                     [this] { return status(common_); }));
    with_output(verb("doctor", "Look for what is wrong", "  sudo atoll doctor",
                     [this] { return doctor(common_); }));
    verb("kubeconfig", "Print the administrator's kubeconfig",
         "  sudo atoll kubeconfig > ~/.kube/config", [this] { return kubeconfig(common_); });
    with_output(verb("version", "Print versions", "  atoll version\n  atoll version -o json",
                     [this] { return version(common_); }));
    verb("help", "Say what a verb does", "  atoll help get\n  atoll help image load",
         [this] {
           exit_code_ = help(words_);
           return Result<>(Unit{});
         })
        ->add_option("verb", words_, "VERB...")
        ->type_name("VERB");
    CLI::App* completion_verb = verb("completion", "Print a shell's completion script",
                                     "  source <(atoll completion bash)\n"
                                     "  source <(atoll completion zsh)\n"
                                     "  atoll completion fish | source",
                                     [this] { return completion(argument_); });
    completion_verb->add_option("shell", argument_, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}))
        ->type_name("SHELL");
  }

  CLI::App app_;
  Common common_;
  GetOptions get_;
  ApplyOptions apply_;
  DeleteOptions delete_;
  LogsOptions logs_;
  ExecOptions exec_;
  std::string argument_;
  Words words_;
  std::function<Result<>()> action_;
  int exit_code_ = 0;
};

}  // namespace

int run_app(int argc, char** argv) {
  return App().run(argc, argv);
}

}  // namespace atl::cli

#pragma once

#include <string>
#include <vector>

#include "base/core/result.h"
#include "cli/options.h"

// One function for each verb, one file for each function. stdout gets the result, stderr the talk.
namespace atl::cli {

struct GetOptions {
  std::vector<std::string> what;  // "pods", "deploy/web", "pods web"
  std::string selector, field_selector;
  bool watch = false;
};
Result<> get(const Common& common, const GetOptions& options);

struct ApplyOptions {
  std::vector<std::string> files;
  bool force = false;
  bool dry_run = false;
};
Result<> apply(const Common& common, const ApplyOptions& options);

struct DeleteOptions {
  std::vector<std::string> what;
  std::vector<std::string> files;
  std::string selector;
  bool now = false;  // no grace
  bool wait = true;
  bool ignore_missing = false;
};
Result<> remove(const Common& common, const DeleteOptions& options);

struct LogsOptions {
  std::string pod;  // "web-1", "deploy/web"
  std::string container;
  bool follow = false, previous = false, timestamps = false;
  int64_t tail = -1;
  int64_t since_seconds = 0;  // no older than this; 0: all
};
Result<> logs(const Common& common, const LogsOptions& options);

struct ExecOptions {
  std::string pod;
  std::string container;
  bool stdin_open = false, tty = false;
  std::vector<std::string> command;
};
// The command's own exit code in `exit_code`.
Result<> exec(const Common& common, const ExecOptions& options, int& exit_code);

Result<> image_list(const Common& common);
Result<> image_load(const Common& common, const std::string& file);
Result<> image_remove(const Common& common, const std::string& ref);
Result<> image_pull(const Common& common, const std::string& ref);
// For completion.
Result<std::vector<std::string>> image_names(const Common& common);

Result<> status(const Common& common);
// Looks at the instance without needing its API; kUnavailable where something is wrong.
Result<> doctor(const Common& common);
Result<> kubeconfig(const Common& common);
Result<> version(const Common& common);
Result<> completion(const std::string& shell);

}  // namespace atl::cli

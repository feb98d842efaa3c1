#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/text/json.h"

// Paths into JSON as kubectl, printer columns and selectable fields write them:
//   .spec.replicas   .status.conditions[?(@.type=="Ready")].status   .items[*].name   ..image
//   ['a b']  [0]  [-1]  [0:4:2]  [0,2]  .metadata.labels.app\.io/name
namespace atl {

// One path. Immutable value, cheap to copy.
class JsonPath {
 public:
  static constexpr size_t kBytesMax = 4096;
  static constexpr size_t kSelectedMax = 100'000;  // more values are not looked for

  // With or without braces around it, with or without "$" or a dot in front.
  // kInvalid with what is wrong and at which byte.
  static Result<JsonPath> parse(std::string_view expression);

  // The values that it leads to, in order; borrowed from `root`. None where something is missing.
  std::vector<const json::Value*> select(const json::Value& root) const;
  // The first of them, null where there is none.
  const json::Value* first(const json::Value& root) const;

  struct Step;
  using Steps = std::vector<Step>;
  explicit JsonPath(std::shared_ptr<const Steps> steps)
      : steps_(std::move(steps)) {}  // for parsers

 private:
  std::shared_ptr<const Steps> steps_;  // immutable, shared by copies
};

// Text with paths in braces, as `kubectl get -o jsonpath=...` takes it:
//   {range .items[*]}{.metadata.name}{"\t"}{.status.phase}{"\n"}{end}
class JsonPathTemplate {
 public:
  static constexpr size_t kNestingMax = 16;
  static constexpr size_t kOutputBytesMax = 64 * 1024 * 1024;

  // kInvalid as above; also for a {range} without its {end}.
  static Result<JsonPathTemplate> parse(std::string_view text);
  // Values of one path are separated by spaces; objects and lists are printed as JSON.
  // kTooLarge past kOutputBytesMax.
  Result<std::string> render(const json::Value& root) const;

  struct Node;

 private:
  using Nodes = std::vector<Node>;
  explicit JsonPathTemplate(std::shared_ptr<const Nodes> nodes) : nodes_(std::move(nodes)) {}
  std::shared_ptr<const Nodes> nodes_;
};

}  // namespace atl

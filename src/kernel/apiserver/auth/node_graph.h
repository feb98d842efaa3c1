#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "api/object/names.h"
#include "base/text/json.h"
#include "kernel/apiserver/contract/reader.h"

namespace atl::apiserver {

// Which objects the pods of each node refer to: what a node has to read to run them.
//
// Owned by the node authorizer; the Reader's executor only. Built from what the Reader holds, then
// follows every change of a pod as it is committed. A pod that is not bound to a node refers to
// nothing, and neither does a mirror pod: nodes write those themselves. A status that changes costs
// a lookup; only another uid, generation or node makes the pod be read again.
class NodeGraph {
 public:
  enum class Sort : uint8_t { kPod, kSecret, kConfigMap, kServiceAccount, kVolumeClaim };
  struct Reference {
    Sort sort;
    api::ObjectKey key;
    auto operator<=>(const Reference&) const = default;
  };
  using References = std::set<Reference>;

  explicit NodeGraph(Reader& reader);
  NodeGraph(const NodeGraph&) = delete;
  NodeGraph& operator=(const NodeGraph&) = delete;

  // Does a pod of the node refer to the object, or is the object that pod?
  bool uses(std::string_view node, Sort sort, const api::ObjectKey& key) const;

 private:
  struct Pod {
    std::string uid;
    int64_t generation = 0;
    std::string node;  // empty: not bound yet
    References refers_to;
  };
  void change(const api::ObjectPtr& now, const api::ObjectPtr& before);
  void forget(const api::ObjectKey& pod);

  std::map<api::ObjectKey, Pod> pods_;
  // Reference → node → how many of its pods have it.
  std::map<Reference, std::map<std::string, size_t, std::less<>>> users_;
  std::shared_ptr<void> listener_;
};

// Everything a pod's spec names in its own namespace, the pod itself left out.
NodeGraph::References references_of(const json::Value& pod);

}  // namespace atl::apiserver

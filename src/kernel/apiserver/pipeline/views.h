#pragma once

#include <string>
#include <vector>

#include "base/core/clock.h"
#include "kernel/apiserver/pipeline/negotiate.h"
#include "kernel/apiserver/registry/registry.h"

namespace atl::apiserver {

// Whether a Table carries its column definitions: the first event of a watch does, later ones need
// not.
enum class Columns : uint8_t { kOmit, kDefine };

// Encodes what the registry found for one reader. The stored version as JSON is the object's own
// bytes; every other form is made here.
class Views {
 public:
  Views(const Versions& versions, const Clock& clock) : versions_(versions), clock_(clock) {}

  // `kind`: the version of the URL.
  Result<SharedBytes> object(const api::ObjectPtr& object, const api::KindPtr& kind,
                             const View& view) const;
  // A document that is not stored (Scale, a review), of the given schema.
  Result<SharedBytes> document(const json::Value& document, const api::Schema* schema,
                               const View& view) const;

  // A list in parts, in order. Objects in the stored version are neither decoded nor copied: their
  // own bytes are pieces of the list.
  static constexpr size_t kPartBytes = 128 * 1024;
  class List {
   public:
    // The next pieces, about kPartBytes of them; none at the end.
    Result<std::vector<SharedBytes>> more();
    // Whether the stored objects take more than that; looks at no more of them than it must.
    bool exceeds(size_t bytes) const;

   private:
    friend class Views;
    Result<std::string> whole_table() const;

    const Views* views_;
    api::KindPtr kind_;
    View view_;
    ListPage page_;
    size_t at_ = 0;
    bool begun_ = false, ended_ = false;
  };
  List list(ListPage page, api::KindPtr kind, View view) const;

  // One line of a watch. Frames of changes are shared between the watchers of a view.
  Result<SharedBytes> frame(const Watcher::Item& item, const api::KindPtr& kind, const View& view,
                            Columns columns) const;
  SharedBytes error_frame(const Error& error) const;

 private:
  Result<api::ObjectPtr> in_version(const api::ObjectPtr& object, const api::KindPtr& kind) const;
  Result<std::string> text(const api::ObjectPtr& object, const api::KindPtr& kind, const View& view,
                           Columns columns) const;
  std::string table_text(const api::Kind& kind, std::span<const api::ObjectPtr> objects,
                         Revision revision, std::string_view next, const View& view,
                         Columns columns) const;
  std::string bookmark(const Watcher::Item& item, const api::Kind& kind, const View& view) const;

  const Versions& versions_;
  const Clock& clock_;
};

}  // namespace atl::apiserver

#include "kernel/apiserver/pipeline/views.h"

#include <fmt/format.h>

#include "api/codec/codec.h"
#include "base/text/yaml.h"
#include "kernel/apiserver/contract/status.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kInitialEventsEnd = "k8s.io/initial-events-end";

std::string_view event_name(api::EventType type) {
  switch (type) {
    case api::EventType::kAdded:
      return "ADDED";
    case api::EventType::kModified:
      return "MODIFIED";
    case api::EventType::kDeleted:
      return "DELETED";
    case api::EventType::kBookmark:
      return "BOOKMARK";
  }
  return {};
}

std::string framed(std::string_view type, std::string_view object) {
  std::string out;
  out.reserve(object.size() + 40);
  out += "{\"type\":\"";
  out += type;
  out += "\",\"object\":";
  out += object;
  out += "}\n";
  return out;
}

Result<SharedBytes> encoded(const json::Value& document, const api::Schema* schema,
                            const View& view) {
  switch (view.encoding) {
    case Encoding::kJson:
      return share(view.pretty ? json::pretty(document) + "\n" : json::serialize(document));
    case Encoding::kYaml:
      return share(yaml::to_yaml(document));
    case Encoding::kProtobuf:
      break;
  }
  if (!schema) return Error(Code::kNotAcceptable, "this resource has no protobuf form");
  TRY(std::string bytes, api::encode_protobuf(document, *schema));
  return share(std::move(bytes));
}

json::Object list_meta(const ListPage& page) {
  json::Object metadata{{"resourceVersion", std::to_string(page.revision.value)}};
  if (!page.next.empty()) metadata["continue"] = page.next;
  if (page.remaining && !page.next.empty()) metadata["remainingItemCount"] = *page.remaining;
  return metadata;
}

}  // namespace

Result<api::ObjectPtr> Views::in_version(const api::ObjectPtr& object,
                                         const api::KindPtr& kind) const {
  if (object->header().gvk == kind->gvk) return object;
  json::Value document = object->parse();
  versions_.from_stored(*versions_.stored(kind), *kind, document);
  return api::Object::from_document(std::move(document), object->revision());
}

std::string Views::table_text(const api::Kind& kind, std::span<const api::ObjectPtr> objects,
                              Revision revision, std::string_view next, const View& view,
                              Columns columns) const {
  json::Value table = api::table(kind, objects, revision, next, clock_.now(), view.include);
  json::set(table, {"apiVersion"}, json::Value("meta.k8s.io/" + view.table_version));
  if (columns == Columns::kOmit) json::set(table, {"columnDefinitions"}, json::Value(nullptr));
  return json::serialize(table);
}

Result<std::string> Views::text(const api::ObjectPtr& object, const api::KindPtr& kind,
                                const View& view, Columns columns) const {
  TRY(const api::ObjectPtr own, in_version(object, kind));
  switch (view.shape) {
    case Shape::kObject:
      return own->text();
    case Shape::kPartial:
      return json::serialize(api::partial_metadata(own->parse()));
    case Shape::kTable:
      return table_text(*kind, {&own, 1}, own->revision(), {}, view, columns);
  }
  return Error(Code::kInternal, "a view without a shape");
}

Result<SharedBytes> Views::object(const api::ObjectPtr& object, const api::KindPtr& kind,
                                  const View& view) const {
  TRY(const api::ObjectPtr own, in_version(object, kind));
  const bool plain = view.encoding == Encoding::kJson && !view.pretty;
  if (plain && view.shape == Shape::kObject) return own->bytes();
  if (plain) {
    TRY(std::string bytes, text(object, kind, view, Columns::kDefine));
    return share(std::move(bytes));
  }
  if (view.shape == Shape::kObject) return encoded(own->parse(), kind->schema, view);
  TRY(const std::string bytes, text(object, kind, view, Columns::kDefine));
  TRY(const json::Value tree, json::parse(bytes));
  return encoded(tree, nullptr, view);
}

Result<SharedBytes> Views::document(const json::Value& document, const api::Schema* schema,
                                    const View& view) const {
  return encoded(document, schema, view);
}

Views::List Views::list(ListPage page, api::KindPtr kind, View view) const {
  List list;
  list.views_ = this;
  list.kind_ = std::move(kind);
  list.view_ = std::move(view);
  list.page_ = std::move(page);
  return list;
}

bool Views::List::exceeds(size_t bytes) const {
  size_t sum = 0;
  for (const CachedPtr& item : page_.items) {
    sum += item->object->text().size();
    if (sum > bytes) return true;
  }
  return false;
}

Result<std::vector<SharedBytes>> Views::List::more() {
  static const SharedBytes kComma = share(",");
  std::vector<SharedBytes> part;
  if (ended_) return part;
  if (view_.shape == Shape::kTable) {
    TRY(std::string table, whole_table());
    part.push_back(share(std::move(table)));
    ended_ = true;
    return part;
  }
  size_t size = 0;
  const auto add = [&](SharedBytes piece) {
    size += piece->size();
    part.push_back(std::move(piece));
  };
  const bool partial = view_.shape == Shape::kPartial;
  if (!begun_) {
    begun_ = true;
    add(share(fmt::format("{{\"kind\":\"{}\",\"apiVersion\":\"{}\",\"metadata\":{},\"items\":[",
                          partial ? "PartialObjectMetadataList" : kind_->list_kind,
                          partial ? "meta.k8s.io/v1" : kind_->gvk.group_version().text(),
                          json::serialize(list_meta(page_)))));
  }
  for (; at_ < page_.items.size() && size < kPartBytes; ++at_) {
    if (at_ > 0) add(kComma);
    const api::ObjectPtr& object = page_.items[at_]->object;
    if (!partial && object->header().gvk == kind_->gvk) {
      add(object->bytes());
    } else {
      TRY(std::string item, views_->text(object, kind_, view_, Columns::kOmit));
      add(share(std::move(item)));
    }
  }
  if (at_ == page_.items.size()) {
    ended_ = true;
    add(share(view_.encoding == Encoding::kJson ? "]}\n" : "]}"));
  }
  return part;
}

Result<std::string> Views::List::whole_table() const {
  std::vector<api::ObjectPtr> objects;
  objects.reserve(page_.items.size());
  for (const CachedPtr& item : page_.items) {
    TRY(api::ObjectPtr own, views_->in_version(item->object, kind_));
    objects.push_back(std::move(own));
  }
  return views_->table_text(*kind_, objects, page_.revision, page_.next, view_, Columns::kDefine);
}

std::string Views::bookmark(const Watcher::Item& item, const api::Kind& kind,
                            const View& view) const {
  json::Object metadata{{"resourceVersion", std::to_string(item.revision.value)},
                        {"creationTimestamp", nullptr}};
  if (item.initial_end) metadata["annotations"] = json::Object{{kInitialEventsEnd, "true"}};
  json::Object object{{"metadata", std::move(metadata)}};
  switch (view.shape) {
    case Shape::kObject:
      object["kind"] = kind.gvk.kind;
      object["apiVersion"] = kind.gvk.group_version().text();
      break;
    case Shape::kPartial:
      object["kind"] = "PartialObjectMetadata";
      object["apiVersion"] = "meta.k8s.io/v1";
      break;
    case Shape::kTable:
      object["kind"] = "Table";
      object["apiVersion"] = "meta.k8s.io/" + view.table_version;
      object["columnDefinitions"] = nullptr;
      object["rows"] = json::Array{};
      break;
  }
  return json::serialize(object);
}

Result<SharedBytes> Views::frame(const Watcher::Item& item, const api::KindPtr& kind,
                                 const View& view, Columns columns) const {
  if (item.type == api::EventType::kBookmark)
    return share(framed("BOOKMARK", bookmark(item, *kind, view)));
  const std::string_view type = event_name(item.type);
  const bool plain = view.shape == Shape::kObject && item.object->object->header().gvk == kind->gvk;
  if (!item.change) {
    if (plain) return share(framed(type, item.object->object->text()));
    TRY(const std::string object, text(item.object->object, kind, view, columns));
    return share(framed(type, object));
  }
  // Short enough to need no memory of its own: thousands of watchers look here for one change.
  std::string id = kind->gvk.version + '/' + view.id();
  id += columns == Columns::kDefine ? '+' : '/';
  id += type.front();
  if (const auto known = item.change->frames.find(id); known != item.change->frames.end())
    return known->second;
  std::string bytes;
  if (plain) {
    bytes = framed(type, item.object->object->text());
  } else {
    TRY(const std::string object, text(item.object->object, kind, view, columns));
    bytes = framed(type, object);
  }
  return item.change->frames[id] = share(std::move(bytes));
}

SharedBytes Views::error_frame(const Error& error) const {
  return share(framed("ERROR", json::serialize(status_document(error))));
}

}  // namespace atl::apiserver

#pragma once

#include <string>
#include <string_view>

#include "api/object/names.h"
#include "base/core/result.h"
#include "base/net/http.h"

namespace atl::apiserver {

// What a request asks for, read from its method, path and query alone. Value type.
struct RequestInfo {
  bool is_resource = false;
  // Resources: get list watch create update patch delete deletecollection.
  // Otherwise the method in lower case.
  std::string verb;
  std::string path;  // decoded; what non-resource rules compare

  std::string group;  // "" is the core group
  std::string version;
  std::string ns;
  std::string resource;     // plural
  std::string subresource;  // "status", "log" ...
  std::string name;
  std::string rest;  // behind the subresource ("/a/b" of .../proxy/a/b), may be empty

  api::Gvr gvr() const { return {group, version, resource}; }
  api::ObjectKey key() const { return {ns, name}; }
};

// kBadRequest on a bad percent escape, an encoded slash or a NUL in a segment.
Result<RequestInfo> read_request_info(std::string_view method, std::string_view raw_path,
                                      const net::Query& query);

}  // namespace atl::apiserver

#include "kernel/apiserver/contract/request_info.h"

#include <algorithm>
#include <vector>

namespace atl::apiserver {
namespace {

// Segments of the path behind the first '/'; a trailing '/' gives no segment.
Result<std::vector<std::string>> segments(std::string_view path) {
  std::vector<std::string> out;
  size_t at = 0;
  while (at < path.size()) {
    const size_t end = std::min(path.find('/', at), path.size());
    if (end > at) {
      auto segment = net::percent_decode(path.substr(at, end - at));
      if (!segment) return Error(Code::kBadRequest, "the path holds a bad percent escape");
      if (segment->find('\0') != std::string::npos) {
        return Error(Code::kBadRequest, "the path holds a NUL byte");
      }
      out.push_back(*std::move(segment));
    }
    at = end + 1;
  }
  return out;
}

std::string verb_of(std::string_view method) {
  if (method == "POST") return "create";
  if (method == "GET" || method == "HEAD") return "get";
  if (method == "PUT") return "update";
  if (method == "PATCH") return "patch";
  if (method == "DELETE") return "delete";
  return {};
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return out;
}

std::string join(const std::vector<std::string>& parts, size_t from) {
  std::string out;
  for (size_t i = from; i < parts.size(); ++i) out += "/" + parts[i];
  return out;
}

// metadata.name=x in a field selector names the object for authorization.
std::string name_in_selector(std::string_view selector) {
  static constexpr std::string_view kField = "metadata.name=";
  if (!selector.starts_with(kField) || selector.find(',') != std::string_view::npos) return {};
  selector.remove_prefix(kField.size());
  if (selector.starts_with('=')) selector.remove_prefix(1);
  return std::string(selector);
}

void read_verb(RequestInfo& info, const net::Query& query) {
  if (!info.name.empty()) return;
  if (info.verb == "get") info.verb = query.flag("watch") ? "watch" : "list";
  if (info.verb == "delete") info.verb = "deletecollection";
  if (info.verb == "list" || info.verb == "watch" || info.verb == "deletecollection") {
    info.name = name_in_selector(query.get("fieldSelector"));
  }
}

}  // namespace

Result<RequestInfo> read_request_info(std::string_view method, std::string_view raw_path,
                                      const net::Query& query) {
  RequestInfo info;
  TRY(std::vector<std::string> parts, segments(raw_path));
  info.path = join(parts, 0);
  if (info.path.empty() || raw_path.ends_with('/')) info.path += '/';
  info.verb = lower(method);
  const bool core = !parts.empty() && parts[0] == "api";
  if (!core && (parts.empty() || parts[0] != "apis")) return info;
  size_t at = core ? 2 : 3;
  if (parts.size() <= at || verb_of(method).empty()) return info;

  info.is_resource = true;
  info.verb = verb_of(method);
  info.group = core ? "" : parts[1];
  info.version = parts[at - 1];
  const bool legacy_watch = parts[at] == "watch" && parts.size() > at + 1;
  if (legacy_watch) ++at;
  if (parts[at] == "namespaces" && parts.size() > at + 1) {
    info.ns = parts[at + 1];
    // namespaces/x and namespaces/x/status are the object itself.
    const bool itself =
        parts.size() == at + 2 ||
        (parts.size() == at + 3 && (parts[at + 2] == "status" || parts[at + 2] == "finalize"));
    if (!itself) at += 2;
  }
  info.resource = parts[at];
  if (parts.size() > at + 1) info.name = parts[at + 1];
  if (parts.size() > at + 2) info.subresource = parts[at + 2];
  info.rest = join(parts, at + 3);
  if (info.name.find('/') != std::string::npos || info.name == "." || info.name == "..") {
    return Error(Code::kBadRequest, "the name in the path is not a valid object name");
  }
  read_verb(info, query);
  if (legacy_watch && (info.verb == "list" || info.verb == "get")) info.verb = "watch";
  return info;
}

}  // namespace atl::apiserver

#include "kernel/apiserver/contract/request_info.h"

#include <gtest/gtest.h>

namespace atl::apiserver {
namespace {

struct Case {
  const char* what;
  const char* method;
  const char* target;
  const char* want;  // verb group/version resource/subresource ns name rest, or "path <path>"
};

std::string read(const Case& c) {
  const std::string_view target = c.target;
  const size_t mark = target.find('?');
  const auto query =
      net::Query::parse(mark == std::string_view::npos ? "" : target.substr(mark + 1));
  const auto info = read_request_info(c.method, target.substr(0, mark), *query);
  if (!info) return "error";
  if (!info->is_resource) return info->verb + " path " + info->path;
  return info->verb + " " + info->group + "/" + info->version + " " + info->resource + "/" +
         info->subresource + " ns=" + info->ns + " name=" + info->name + " rest=" + info->rest;
}

TEST(RequestInfo, ReadsPaths) {
  const Case cases[] = {
      {"a collection", "GET", "/api/v1/pods", "list /v1 pods/ ns= name= rest="},
      {"of a namespace", "GET", "/api/v1/namespaces/d/pods", "list /v1 pods/ ns=d name= rest="},
      {"an object", "GET", "/apis/apps/v1/namespaces/d/deployments/w",
       "get apps/v1 deployments/ ns=d name=w rest="},
      {"a subresource", "PUT", "/apis/apps/v1/namespaces/d/deployments/w/status",
       "update apps/v1 deployments/status ns=d name=w rest="},
      {"a namespace is the object itself", "GET", "/api/v1/namespaces/d",
       "get /v1 namespaces/ ns=d name=d rest="},
      {"its status too", "PATCH", "/api/v1/namespaces/d/status",
       "patch /v1 namespaces/status ns=d name=d rest="},
      {"its finalizers too", "PUT", "/api/v1/namespaces/d/finalize",
       "update /v1 namespaces/finalize ns=d name=d rest="},
      {"all namespaces", "GET", "/api/v1/namespaces", "list /v1 namespaces/ ns= name= rest="},
      {"a watch by parameter", "GET", "/api/v1/pods?watch=true", "watch /v1 pods/ ns= name= rest="},
      {"a watch of one object by its name", "GET",
       "/api/v1/namespaces/d/pods?watch=1&fieldSelector=metadata.name%3Dp",
       "watch /v1 pods/ ns=d name=p rest="},
      {"a watch by the old path", "GET", "/api/v1/watch/pods", "watch /v1 pods/ ns= name= rest="},
      {"a creation", "POST", "/api/v1/namespaces/d/pods", "create /v1 pods/ ns=d name= rest="},
      {"a deletion of many", "DELETE", "/api/v1/namespaces/d/pods",
       "deletecollection /v1 pods/ ns=d name= rest="},
      {"a deletion of one", "DELETE", "/api/v1/namespaces/d/pods/p",
       "delete /v1 pods/ ns=d name=p rest="},
      {"what follows a subresource", "GET", "/api/v1/namespaces/d/pods/p/proxy/a/b",
       "get /v1 pods/proxy ns=d name=p rest=/a/b"},
      {"an encoded name", "GET", "/api/v1/namespaces/d/configmaps/a%3Ab",
       "get /v1 configmaps/ ns=d name=a:b rest="},
      {"a version alone is a document", "GET", "/api/v1", "get path /api/v1"},
      {"so is a group", "GET", "/apis/apps", "get path /apis/apps"},
      {"anything else is a path", "GET", "/healthz", "get path /healthz"},
      {"the root", "GET", "/", "get path /"},
      {"a method of no verb is a path", "OPTIONS", "/api/v1/pods", "options path /api/v1/pods"},
      {"a slash inside a name", "GET", "/api/v1/namespaces/d/pods/a%2Fb", "error"},
      {"a parent directory", "GET", "/api/v1/namespaces/d/pods/..", "error"},
      {"a broken escape", "GET", "/api/v1/namespaces/d/pods/%4", "error"},
      {"a NUL", "GET", "/api/v1/namespaces/d/pods/a%00", "error"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    EXPECT_EQ(read(c), c.want);
  }
}

}  // namespace
}  // namespace atl::apiserver

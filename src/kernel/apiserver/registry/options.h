#pragma once

#include "base/core/result.h"
#include "base/net/http.h"
#include "kernel/apiserver/registry/call.h"

// Query parameters and option bodies as the registry wants them. Wrong ones are kBadRequest (no
// number) or kInvalid (a combination that makes no sense), in the words of ListOptions and
// DeleteOptions.
namespace atl::apiserver {

// The longest name of a field manager.
inline constexpr size_t kManagerBytesMax = 128;

struct WriteOptions {
  bool dry_run = false;
  FieldValidation validation = FieldValidation::kIgnore;
  std::string manager;  // as it was given; empty where it was not
};
// dryRun of the verbs that write or delete; fieldValidation and fieldManager of those that write.
Result<WriteOptions> read_write(const net::Query& query, std::string_view verb);
Result<ListQuery> read_list(const net::Query& query, const api::Kind& kind);
Result<WatchQuery> read_watch(const net::Query& query, const api::Kind& kind,
                              Duration default_timeout);
// A DeleteOptions document (null: none) over the query parameters.
Result<DeleteQuery> read_delete(const net::Query& query, const json::Value& options);
Result<bool> delete_is_dry_run(const json::Value& options);
// The resourceVersion of a GET: the answer must not be older. 0 where absent.
Result<Revision> read_revision(const net::Query& query);

}  // namespace atl::apiserver

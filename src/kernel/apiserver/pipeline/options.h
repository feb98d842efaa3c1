#pragma once

#include "base/core/result.h"
#include "kernel/apiserver/pipeline/exchange.h"
#include "kernel/apiserver/registry/call.h"

// Query parameters and option bodies as the registry wants them. Wrong ones are kBadRequest (no
// number) or kInvalid (a combination that makes no sense), in the words of ListOptions and
// DeleteOptions.
namespace atl::apiserver {

// fieldManager, dryRun, fieldValidation; the manager is the User-Agent's first word where it is
// missing.
Result<Call> read_call(Exchange& exchange, api::KindPtr kind);
Result<ListQuery> read_list(const net::Query& query, const api::Kind& kind);
Result<WatchQuery> read_watch(const net::Query& query, const api::Kind& kind,
                              Duration default_timeout);
// A DeleteOptions document (null: none) over the query parameters.
Result<DeleteQuery> read_delete(const net::Query& query, const json::Value& options);
Result<bool> delete_is_dry_run(const json::Value& options);
// The resourceVersion of a GET: the answer must not be older. 0 where absent.
Result<Revision> read_revision(const net::Query& query);

}  // namespace atl::apiserver

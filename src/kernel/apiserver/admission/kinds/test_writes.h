#pragma once

#include <string>
#include <string_view>

#include "base/core/check.h"
#include "kernel/apiserver/admission/test_requests.h"
#include "kernel/apiserver/contract/hooks.h"

// Helpers of this folder's tests.
namespace atl::apiserver {

// One write of one document, as a hook sees it. The documents must outlive it.
struct TestWrite {
  api::Kind kind;
  json::Value object;
  json::Value old;
  WriteContext context;

  TestWrite(json::Value now, json::Value before = nullptr, std::string subresource = {})
      : object(std::move(now)),
        old(std::move(before)),
        context{.kind = kind,
                .subresource = std::move(subresource),
                .key = {std::string(json::string_at(object, {"metadata", "namespace"})),
                        std::string(json::string_at(object, {"metadata", "name"}))},
                .user = std::make_shared<const UserInfo>(UserInfo{.name = "u"}),
                .now = WallTime(std::chrono::seconds(1'800'000'000)),
                .object = &object,
                .old = old.is_null() ? nullptr : &old} {}
  TestWrite(const TestWrite&) = delete;
  TestWrite& operator=(const TestWrite&) = delete;
};

// "spec.ports: Required value | ..." of all findings, for comparison.
inline std::string texts(const api::Findings& findings) {
  std::string out;
  for (const Cause& cause : findings)
    out += (out.empty() ? "" : " | ") + cause.field + ": " + cause.message;
  return out;
}

}  // namespace atl::apiserver

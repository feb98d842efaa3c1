#pragma once

#include <string_view>

#include "api/client/client.h"

// What a server answers, as bytes, turned into what callers get. kInternal or kBadRequest where a
// server does not keep to the API.
namespace atl::api {

inline constexpr size_t kAnswerMax = 512u << 20;  // bytes of one answer
inline constexpr size_t kEventMax = 16u << 20;    // bytes of one watch event

Result<json::Value> document_from_answer(std::string_view body);
Result<ObjectPtr> object_from_answer(std::string_view body);
Result<ObjectList> list_from_answer(std::string_view body);
// One line of a watch. An event of type ERROR is the Error that its Status stands for.
Result<WatchEvent> event_from_line(std::string_view line);

}  // namespace atl::api

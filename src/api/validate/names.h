#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/schema/kind.h"

// Rules for names and label texts. Each function returns what is wrong, in Kubernetes' words;
// nothing: fine.
namespace atl::api {

using Complaints = std::vector<std::string>;

Complaints dns_subdomain(std::string_view text);   // at most 253
Complaints dns_label(std::string_view text);       // RFC 1123, at most 63
Complaints dns_1035_label(std::string_view text);  // starts with a letter, at most 63
Complaints path_segment(std::string_view text);
Complaints path_segment_prefix(std::string_view text);
Complaints label_key(
    std::string_view text);  // [subdomain/]name; annotations and finalizers as well
Complaints label_value(std::string_view text);
Complaints config_map_key(std::string_view text);
Complaints environment_name(std::string_view text);
Complaints port_name(std::string_view text);  // IANA_SVC_NAME, at most 15

enum class NamePart : uint8_t {
  kWhole,
  kPrefix
};  // kPrefix: something will be appended (generateName)
Complaints object_name(NameRule rule, std::string_view name, NamePart part);

}  // namespace atl::api

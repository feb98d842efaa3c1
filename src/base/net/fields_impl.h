#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/net/http.h"

// The grammar of header fields (RFC 9110 section 5) as both versions of HTTP need it.
namespace atl::net {

// A method or a field name: one or more tchar.
bool is_token(std::string_view text);
// No control characters but the tab; neither begins nor ends with white space.
bool is_field_value(std::string_view text);
// A target in origin form: '/' and then visible ASCII without '#'.
bool is_origin_form(std::string_view target);
// A host with an optional port, as in the Host field; may be empty.
bool is_host(std::string_view text);

std::string lower(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);
std::string_view trimmed(std::string_view text);
// Digits only, no sign, no overflow.
std::optional<uint64_t> parse_decimal(std::string_view text);

// Whether a comma-separated field ("connection", "upgrade") contains the word in any of its lines.
bool has_list_word(const Headers& headers, std::string_view name, std::string_view word);

// Fields that belong to one connection: a message must not carry them from one hop to the next.
bool is_hop_by_hop(std::string_view lower_name);

// kInternal names the first field that would break the message apart.
Result<> check_outgoing(const Headers& headers);

// "Not Found"; empty for a status without a name.
std::string_view reason_phrase(int status);

// 204, 304 and 1xx have none.
bool status_has_body(int status);

}  // namespace atl::net

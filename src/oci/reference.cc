#include "oci/reference.h"

#include <algorithm>

namespace atl::oci {
namespace {

constexpr size_t kReferenceMax = 512;
constexpr size_t kTagMax = 128;

bool lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// A component: lower-case words joined by '.', '_', '__' or dashes.
bool is_component(std::string_view text) {
  if (text.empty() || !lower_or_digit(text.front()) || !lower_or_digit(text.back())) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (lower_or_digit(c) || c == '-') continue;
    if (c == '.' && text[i - 1] != '.') continue;
    if (c == '_' && !(i >= 2 && text[i - 1] == '_' && text[i - 2] == '_')) continue;
    return false;
  }
  return true;
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > kTagMax || text[0] == '.' || text[0] == '-') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-';
  });
}

bool is_host(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == ':' ||
           c == '[' || c == ']';
  });
}

Error bad(std::string_view text, std::string_view why) {
  return Error(Code::kBadRequest, "invalid image reference \"" + std::string(text.substr(0, 200)) +
                                      "\": " + std::string(why));
}

}  // namespace

bool is_digest(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  if (!text.starts_with(kPrefix) || text.size() != kPrefix.size() + 64) return false;
  return std::all_of(text.begin() + ptrdiff_t(kPrefix.size()), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string Reference::text() const {
  std::string out = repository_name();
  if (!tag.empty()) out += ":" + tag;
  if (!digest.empty()) out += "@" + digest;
  return out;
}

std::string Reference::api_host() const {
  return registry == "docker.io" ? "registry-1.docker.io" : registry;
}

Result<Reference> parse_reference(std::string_view text) {
  if (text.empty()) return bad(text, "it is empty");
  if (text.size() > kReferenceMax) return bad(text, "it is longer than 512 characters");
  Reference out;
  std::string_view rest = text;
  if (const size_t at = rest.find('@'); at != std::string_view::npos) {
    out.digest = rest.substr(at + 1);
    if (!is_digest(out.digest)) return bad(text, "the digest must be sha256: and 64 hex digits");
    rest = rest.substr(0, at);
  }
  const size_t slash = rest.rfind('/');
  if (const size_t colon = rest.rfind(':');
      colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    out.tag = rest.substr(colon + 1);
    if (!is_tag(out.tag)) return bad(text, "the tag must be letters, digits, '_', '.' and '-'");
    rest = rest.substr(0, colon);
  }
  const size_t first = rest.find('/');
  const std::string_view head = rest.substr(0, first);
  const bool has_host = first != std::string_view::npos &&
                        (head.find_first_of(".:") != std::string_view::npos || head == "localhost");
  out.registry = has_host ? std::string(head) : "docker.io";
  if (out.registry == "index.docker.io") out.registry = "docker.io";
  if (!is_host(out.registry)) return bad(text, "the registry must be a host name");
  std::string repository(has_host ? rest.substr(first + 1) : rest);
  if (out.registry == "docker.io" && repository.find('/') == std::string::npos)
    repository = "library/" + repository;
  for (std::string_view left = repository;;) {
    const size_t next = left.find('/');
    if (!is_component(left.substr(0, next)))
      return bad(text, "the name must be lower-case letters, digits and separators");
    if (next == std::string_view::npos) break;
    left = left.substr(next + 1);
  }
  out.repository = std::move(repository);
  if (out.tag.empty() && out.digest.empty()) out.tag = "latest";
  return out;
}

}  // namespace atl::oci

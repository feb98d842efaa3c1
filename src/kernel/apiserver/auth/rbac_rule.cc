#include "kernel/apiserver/auth/rbac_rule.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace atl::apiserver {
namespace {

constexpr size_t kMaxPieces = 10'000;

using Texts = std::vector<std::string>;

Texts texts_at(const json::Value& document, std::string_view key) {
  Texts out;
  for (const json::Value& item : json::array_at(document, {key})) {
    if (item.is_string()) out.emplace_back(item.as_string());
  }
  return out;
}

bool has(const Texts& list, std::string_view item) {
  return std::ranges::find(list, item) != list.end();
}
bool has_all(const Texts& list, const Texts& items) {
  return std::ranges::all_of(items, [&](const std::string& item) { return has(list, item); });
}
bool covers_list(const Texts& held, const Texts& wanted) {
  return has(held, "*") || has_all(held, wanted);
}

bool url_matches(std::string_view rule, std::string_view path) {
  if (rule == "*" || rule == path) return true;
  return rule.ends_with('*') && path.starts_with(rule.substr(0, rule.size() - 1));
}

// `resource` as "pods" or "pods/log".
bool resource_matches(const Texts& held, std::string_view resource) {
  if (has(held, "*") || has(held, resource)) return true;
  const size_t slash = resource.find('/');
  return slash != std::string_view::npos && has(held, "*" + std::string(resource.substr(slash)));
}

bool rule_covers(const RbacRule& held, const RbacRule& wanted) {
  const bool resources = std::ranges::all_of(wanted.resources, [&](const std::string& resource) {
    return resource_matches(held.resources, resource);
  });
  const bool names =
      held.resource_names.empty() ||
      (!wanted.resource_names.empty() && has_all(held.resource_names, wanted.resource_names));
  const bool urls = std::ranges::all_of(wanted.urls, [&](const std::string& url) {
    return std::ranges::any_of(held.urls,
                               [&](const std::string& rule) { return url_matches(rule, url); });
  });
  return covers_list(held.verbs, wanted.verbs) && covers_list(held.api_groups, wanted.api_groups) &&
         resources && names && urls;
}

bool covered(const RbacRules& held, const RbacRule& wanted) {
  return std::ranges::any_of(held, [&](const RbacRule& rule) { return rule_covers(rule, wanted); });
}

Texts unique(const Texts& list) {
  const std::set<std::string> set(list.begin(), list.end());
  return {set.begin(), set.end()};
}

// Takes a rule apart; the pieces that nothing held covers go to `missing`. False: too many pieces.
class Taker {
 public:
  Taker(const RbacRules& held, RbacRules& missing) : held_(held), missing_(missing) {}

  bool take(const RbacRule& rule) {
    if (covered(held_, rule)) return true;
    for (const std::string& url : unique(rule.urls)) {
      for (const std::string& verb : unique(rule.verbs)) {
        if (!check({.verbs = {verb}, .urls = {url}})) return false;
      }
    }
    Texts names = unique(rule.resource_names);
    if (names.empty()) names.emplace_back();  // one piece without a name
    for (const std::string& group : unique(rule.api_groups)) {
      for (const std::string& resource : unique(rule.resources)) {
        for (const std::string& verb : unique(rule.verbs)) {
          if (!take_names(group, resource, verb, names)) return false;
        }
      }
    }
    return true;
  }

 private:
  bool take_names(const std::string& group, const std::string& resource, const std::string& verb,
                  const Texts& names) {
    return std::ranges::all_of(names, [&](const std::string& name) {
      RbacRule piece{.verbs = {verb}, .api_groups = {group}, .resources = {resource}};
      if (!name.empty()) piece.resource_names = {name};
      return check(std::move(piece));
    });
  }
  bool check(RbacRule piece) {
    if (++pieces_ > kMaxPieces) return false;
    if (!covered(held_, piece)) missing_.push_back(std::move(piece));
    return true;
  }

  const RbacRules& held_;
  RbacRules& missing_;
  size_t pieces_ = 0;
};

std::string quoted(const Texts& list) {
  Texts parts;
  for (const std::string& item : list) parts.push_back("\"" + item + "\"");
  return fmt::format("[{}]", fmt::join(parts, " "));
}

json::Array array_of(const Texts& list) {
  json::Array out;
  for (const std::string& item : list) out.emplace_back(item);
  return out;
}

}  // namespace

RbacRule RbacRule::from_document(const json::Value& rule) {
  return {.verbs = texts_at(rule, "verbs"),
          .api_groups = texts_at(rule, "apiGroups"),
          .resources = texts_at(rule, "resources"),
          .resource_names = texts_at(rule, "resourceNames"),
          .urls = texts_at(rule, "nonResourceURLs")};
}

json::Value RbacRule::document() const {
  json::Object out{{"verbs", array_of(verbs)}};
  if (!api_groups.empty()) out["apiGroups"] = array_of(api_groups);
  if (!resources.empty()) out["resources"] = array_of(resources);
  if (!resource_names.empty()) out["resourceNames"] = array_of(resource_names);
  if (!urls.empty()) out["nonResourceURLs"] = array_of(urls);
  return out;
}

std::string RbacRule::text() const {
  Texts parts;
  if (!api_groups.empty()) parts.push_back("APIGroups:" + quoted(api_groups));
  if (!resources.empty()) parts.push_back("Resources:" + quoted(resources));
  if (!resource_names.empty()) parts.push_back("ResourceNames:" + quoted(resource_names));
  if (!urls.empty()) parts.push_back("NonResourceURLs:" + quoted(urls));
  parts.push_back("Verbs:" + quoted(verbs));
  return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

bool RbacRule::allows(const Attributes& a) const {
  if (!has(verbs, "*") && !has(verbs, a.verb)) return false;
  if (!a.is_resource) {
    return std::ranges::any_of(urls,
                               [&](const std::string& url) { return url_matches(url, a.path); });
  }
  if (!has(api_groups, "*") && !has(api_groups, a.group)) return false;
  const std::string resource =
      a.subresource.empty() ? a.resource : a.resource + "/" + a.subresource;
  return resource_matches(resources, resource) &&
         (resource_names.empty() || has(resource_names, a.name));
}

RbacRules rules_from_document(const json::Value& role) {
  RbacRules out;
  for (const json::Value& rule : json::array_at(role, {"rules"}))
    out.push_back(RbacRule::from_document(rule));
  return out;
}

Result<RbacRules> rules_beyond(const RbacRules& held, const RbacRules& wanted) {
  RbacRules missing;
  Taker taker(held, missing);
  for (const RbacRule& rule : wanted) {
    if (!taker.take(rule)) {
      return Error(Code::kForbidden,
                   "the rules name more than 10000 single permissions; use \"*\" or fewer of them");
    }
  }
  return missing;
}

}  // namespace atl::apiserver

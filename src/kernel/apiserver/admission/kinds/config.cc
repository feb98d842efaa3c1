#include "kernel/apiserver/admission/kinds/config.h"

#include "base/text/base64.h"
#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

constexpr size_t kMaxBytes = 1024 * 1024;

// The sizes of the values of a map, decoded; keys are checked on the way.
size_t check_entries(const json::Value& object, std::string_view field, bool encoded,
                     api::Findings& out) {
  size_t bytes = 0;
  for (const auto& [key, value] : json::object_at(object, {field})) {
    for (const std::string& why : api::config_map_key(key)) {
      out.push_back(invalid_value(at(field, std::string_view(key)), json::Value(key), why));
    }
    if (value.is_string())
      bytes += encoded ? value.as_string().size() / 4 * 3 : value.as_string().size();
  }
  return bytes;
}

bool differs(const json::Value& now, const json::Value& before, std::string_view field) {
  return !json::equal(json::object_at(now, {field}), json::object_at(before, {field}));
}

void check_frozen(const WriteContext& write, std::initializer_list<std::string_view> fields,
                  api::Findings& out) {
  if (write.old == nullptr || !json::bool_at(*write.old, {"immutable"})) return;
  if (!json::bool_at(*write.object, {"immutable"})) {
    out.push_back(forbidden_value("immutable", "field is immutable when `immutable` is set"));
  }
  for (const std::string_view field : fields) {
    if (differs(*write.object, *write.old, field)) {
      out.push_back(
          forbidden_value(std::string(field), "field is immutable when `immutable` is set"));
    }
  }
}

struct KnownType {
  std::string_view type;
  std::initializer_list<std::string_view> keys;
};
const KnownType kKnownTypes[] = {{"kubernetes.io/tls", {"tls.crt", "tls.key"}},
                                 {"kubernetes.io/dockercfg", {".dockercfg"}},
                                 {"kubernetes.io/dockerconfigjson", {".dockerconfigjson"}},
                                 {"kubernetes.io/ssh-auth", {"ssh-privatekey"}}};

void check_json(const json::Value& secret, std::string_view key, api::Findings& out) {
  const auto text = base64_decode(json::string_at(secret, {"data", key}));
  if (!text) return;  // the schema says so
  if (const auto parsed = json::parse(*text); !parsed || !parsed->is_object()) {
    out.push_back(invalid_value(at("data", key), json::Value("<secret contents redacted>"),
                                "must be a JSON object"));
  }
}

void check_type(const json::Value& secret, api::Findings& out) {
  const std::string_view type = json::string_at(secret, {"type"});
  const auto has = [&](std::string_view key) {
    return json::find(secret, {"data", key}) != nullptr;
  };
  for (const KnownType& known : kKnownTypes) {
    if (known.type != type) continue;
    for (const std::string_view key : known.keys) {
      if (!has(key))
        out.push_back(required_value(at("data", key)));
      else if (key.starts_with(".docker"))
        check_json(secret, key, out);
    }
  }
  if (type == "kubernetes.io/basic-auth" && !has("username") && !has("password")) {
    out.push_back(required_value("data[username]"));
    out.push_back(required_value("data[password]"));
  }
  constexpr std::string_view kAccount = "kubernetes.io/service-account.name";
  if (type == "kubernetes.io/service-account-token" &&
      json::string_at(secret, {"metadata", "annotations", kAccount}).empty()) {
    out.push_back(required_value(at("metadata.annotations", kAccount)));
  }
}

}  // namespace

Result<> SecretHook::prepare(WriteContext& write) const {
  json::Value& secret = *write.object;
  const json::Object plain = json::object_at(secret, {"stringData"});
  json::erase(secret, {"stringData"});
  for (const auto& [key, value] : plain) {
    if (value.is_string())
      json::set(secret, {"data", key}, json::Value(base64_encode(value.as_string())));
  }
  if (json::string_at(secret, {"type"}).empty()) json::set(secret, {"type"}, "Opaque");
  return Unit{};
}

api::Findings SecretHook::validate(const WriteContext& write) const {
  const json::Value& secret = *write.object;
  api::Findings out;
  if (check_entries(secret, "data", true, out) > kMaxBytes)
    out.push_back(api::too_long("data", kMaxBytes));
  check_type(secret, out);
  check_frozen(write, {"data"}, out);
  if (write.old != nullptr &&
      json::string_at(*write.old, {"type"}) != json::string_at(secret, {"type"})) {
    out.push_back(api::immutable_value("type", json::Value(json::string_at(secret, {"type"}))));
  }
  return out;
}

api::Findings ConfigMapHook::validate(const WriteContext& write) const {
  const json::Value& map = *write.object;
  api::Findings out;
  const size_t bytes =
      check_entries(map, "data", false, out) + check_entries(map, "binaryData", true, out);
  if (bytes > kMaxBytes) out.push_back(api::too_long("[]", kMaxBytes));
  for (const auto& [key, _] : json::object_at(map, {"binaryData"})) {
    if (json::find(map, {"data", key}) != nullptr) {
      out.push_back(invalid_value(at("data", std::string_view(key)), json::Value(key),
                                  "duplicate of key present in binaryData"));
    }
  }
  check_frozen(write, {"data", "binaryData"}, out);
  return out;
}

}  // namespace atl::apiserver

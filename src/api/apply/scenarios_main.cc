#include <cstdio>
#include <cstdlib>

#include "api/apply/apply.h"
#include "api/apply/test_kind.h"
#include "api/schema/test_schema.h"
#include "base/core/rng.h"

// Prints random histories of one object, a JSON line each: who applied or updated what, and what
// became of the object, its managedFields and its conflicts. tests/peers/apply replays them in the
// library that Kubernetes uses and compares every step.
//   api_apply_scenarios COUNT [FIRST SEED]
namespace {

using namespace atl;
using namespace atl::api;

class Generator {
 public:
  explicit Generator(uint64_t seed) : rng_(seed) {}

  bool one_in(uint64_t n) { return rng_.below(n) == 0; }
  int64_t number() { return int64_t(rng_.below(3)); }
  json::Value word() { return pick({"x", "y", "z"}); }
  json::Value pick(std::initializer_list<const char*> words) {
    return json::Value(*(words.begin() + rng_.below(words.size())));
  }

  // Stored lists may hold duplicates, applied ones may not.
  enum class Duplicates : uint8_t { kNone, kSome };

  json::Value spec(Duplicates duplicates) {
    json::Object out;
    maybe(out, 2, "replicas", [&] { return number(); });
    maybe(out, 2, "name", [&] { return word(); });
    maybe(out, 2, "struct", [&] { return odd(fields()); });
    maybe(out, 3, "atomicStruct", [&] { return odd(fields()); });
    maybe(out, 2, "map", [&] { return odd(map()); });
    maybe(out, 3, "atomicMap", [&] { return odd(map()); });
    maybe(out, 2, "mapOfStructs", [&] { return odd(map_of_structs()); });
    maybe(out, 2, "set", [&] { return odd(set(duplicates)); });
    maybe(out, 3, "atomicList", [&] { return odd(set(Duplicates::kSome)); });
    maybe(out, 2, "items", [&] { return odd(items(duplicates)); });
    maybe(out, 2, "ports", [&] { return odd(ports()); });
    maybe(out, 3, "open", [&] { return open(2); });
    return out;
  }

 private:
  template <class Make>
  void maybe(json::Object& out, uint64_t odds, const char* key, const Make& make) {
    if (one_in(odds)) out[key] = make();
  }
  void insert(json::Array& list, json::Value item) {
    list.insert(list.begin() + ptrdiff_t(rng_.below(list.size() + 1)), std::move(item));
  }
  // Now and then null or empty instead.
  json::Value odd(json::Value value) {
    if (one_in(25)) return nullptr;
    if (!one_in(25)) return value;
    return value.is_array() ? json::Value(json::Array()) : json::Value(json::Object());
  }

  json::Object fields() {
    json::Object out;
    maybe(out, 2, "a", [&] { return number(); });
    maybe(out, 2, "b", [&] { return word(); });
    return out;
  }
  json::Object map() {
    json::Object out;
    maybe(out, 2, "m", [&] { return word(); });
    maybe(out, 2, "n", [&] { return word(); });
    return out;
  }
  json::Object map_of_structs() {
    json::Object out;
    for (const char* key : {"g", "h"}) {
      json::Object entry;
      maybe(entry, 2, "x", [&] { return number(); });
      maybe(entry, 2, "y", [&] { return number(); });
      maybe(out, 2, key, [&] { return odd(std::move(entry)); });
    }
    return out;
  }
  json::Array set(Duplicates duplicates) {
    json::Array out;
    for (const char* item : {"p", "q", "r", "s"}) {
      if (one_in(2)) insert(out, json::Value(item));
    }
    if (duplicates == Duplicates::kSome && !out.empty() && one_in(3))
      out.push_back(json::Value(out[0]));
    return out;
  }
  json::Array items(Duplicates duplicates) {
    json::Array out;
    for (const char* name : {"i", "j", "k", "l"}) {
      json::Object item{{"name", name}};
      maybe(item, 2, "value", [&] { return word(); });
      maybe(item, 3, "other", [&] { return word(); });
      maybe(item, 3, "sub", [&] { return set(Duplicates::kNone); });
      if (one_in(2)) insert(out, std::move(item));
    }
    if (duplicates == Duplicates::kSome && !out.empty() && one_in(3))
      out.push_back(json::Value(out[rng_.below(out.size())]));
    return out;
  }
  // Ports of one number differ in their protocol, whose default is TCP.
  json::Array ports() {
    json::Array out;
    for (const int number_of : {80, 81}) {
      const char* const tcp = one_in(2) ? "TCP" : nullptr;
      for (const char* protocol : {tcp, "UDP"}) {
        json::Object port{{"port", number_of}};
        if (protocol) port["protocol"] = protocol;
        maybe(port, 2, "name", [&] { return word(); });
        if (one_in(3)) out.push_back(std::move(port));
      }
    }
    return out;
  }
  json::Value open(int depth) {
    switch (rng_.below(depth > 0 ? 5 : 3)) {
      case 0:
        return word();
      case 1:
        return number();
      case 2:
        return one_in(2) ? json::Array{word()} : json::Array();
      default:
        break;
    }
    json::Object out;
    maybe(out, 2, "u", [&] { return open(depth - 1); });
    maybe(out, 2, "v", [&] { return open(depth - 1); });
    return out;
  }

  SeededRng rng_;
};

json::Value step(const Schema& schema, Generator& generator, json::Value& live, WallTime now) {
  const std::string who(generator.pick({"a", "b", "c"}).get_string());
  const bool update = generator.one_in(3);
  const bool force = generator.one_in(2);
  json::Value object = json::Object{
      {"apiVersion", "x/v1"}, {"kind", "W"}, {"metadata", json::Object{{"name", "w"}}}};
  using Duplicates = Generator::Duplicates;
  if (!generator.one_in(12))
    json::set(object, {"spec"}, generator.spec(update ? Duplicates::kSome : Duplicates::kNone));
  json::Object out{{"manager", who},
                   {"type", update ? "update" : "apply"},
                   {"object", object},
                   {"force", force},
                   {"error", ""}};
  const json::Value* before = live.is_null() ? nullptr : &live;
  const ManagerId manager{who, "x/v1", ""};
  if (update) {
    track_update(schema, before, object, manager, now);
    live = std::move(object);
  } else if (auto applied = apply(schema, before, object, manager, force, now)) {
    live = std::move(applied->document);
  } else {
    out["error"] = applied.error().message();
  }
  out["result"] = live;
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t count = argc > 1 ? strtoull(argv[1], nullptr, 10) : 1000;
  const uint64_t first = argc > 2 ? strtoull(argv[2], nullptr, 10) : 0;
  SchemaSet set;
  const Schema* schema = test_schema(set, *json::parse(kWorldSchema));
  for (uint64_t seed = first; seed < first + count; ++seed) {
    Generator generator(seed);
    json::Value live;
    json::Array steps;
    for (int64_t i = 0, n = 2 + generator.number() * 2; i < n; ++i) {
      steps.push_back(
          step(*schema, generator, live, WallTime(std::chrono::seconds(1'800'000'000 + i))));
    }
    puts(json::serialize(json::Value(std::move(steps))).c_str());
  }
}

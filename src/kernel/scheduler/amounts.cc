// Resource requests of pods, in integers.
#include <algorithm>

#include "base/text/quantity.h"
#include "kernel/scheduler/pod_info.h"
#include "kernel/scheduler/requests_impl.h"

namespace atl::scheduler {
namespace {

void add(Amounts& into, const Amounts& more) {
  for (const auto& [name, value] : more) into[name] += value;
}
void raise(Amounts& into, const Amounts& floor) {
  for (const auto& [name, value] : floor) into[name] = std::max(into[name], value);
}

Amounts container_requests(const json::Value& container) {
  return amounts_of(json::object_at(container, {"resources", "requests"}));
}

// Init containers run one after the other, sidecars among them stay: the peak of the start.
Amounts init_peak(const json::Value& spec, Amounts& sidecars) {
  Amounts peak;
  for (const json::Value& container : json::array_at(spec, {"initContainers"})) {
    Amounts own = container_requests(container);
    if (json::string_at(container, {"restartPolicy"}) == "Always") {
      add(sidecars, own);
      raise(peak, sidecars);
    } else {
      add(own, sidecars);
      raise(peak, own);
    }
  }
  return peak;
}

}  // namespace

int64_t amount(const Amounts& amounts, std::string_view resource) {
  const auto it = amounts.find(resource);
  return it == amounts.end() ? 0 : it->second;
}

int64_t amount_of(std::string_view resource, const json::Value& quantity) {
  const bool cpu = resource == "cpu";
  if (quantity.is_int64()) return quantity.get_int64() * (cpu ? 1000 : 1);
  const json::String* text = quantity.if_string();
  if (!text) return 0;
  const Result<Quantity> parsed = Quantity::parse(*text);
  if (!parsed) return 0;
  return cpu ? parsed->milli() : parsed->units();
}

Amounts amounts_of(const json::Object& list) {
  Amounts out;
  for (const auto& [name, quantity] : list) out[std::string(name)] = amount_of(name, quantity);
  return out;
}

Amounts pod_requests(const json::Value& spec) {
  Amounts total;
  for (const json::Value& container : json::array_at(spec, {"containers"}))
    add(total, container_requests(container));
  Amounts sidecars;
  const Amounts peak = init_peak(spec, sidecars);
  add(total, sidecars);
  raise(total, peak);
  // Requests of the pod as a whole stand above those of its containers.
  for (const auto& [name, value] : amounts_of(json::object_at(spec, {"resources", "requests"})))
    total[name] = value;
  add(total, amounts_of(json::object_at(spec, {"overhead"})));
  return total;
}

}  // namespace atl::scheduler

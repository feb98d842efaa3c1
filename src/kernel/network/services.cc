#include "kernel/network/services.h"

#include <algorithm>

#include "base/observe/log.h"
#include "kernel/network/conntrack_impl.h"

namespace atl::network {
namespace {

constexpr Duration kFirstRetry = std::chrono::milliseconds(100);
constexpr Duration kLongestRetry = std::chrono::seconds(10);

}  // namespace

Services::Services(Executor executor, Timer& timer, BlockingPool& pool, Options options)
    : timer_(timer),
      pool_(pool),
      options_(std::move(options)),
      table_(options_),
      tasks_(std::move(executor)) {}

Services::~Services() = default;

Task<> Services::start(HostFacts facts) {
  facts_ = std::move(facts);
  auto opened = co_await pool_.run([options = options_, known = facts_,
                                    first = table_.frontends()]() -> Result<std::shared_ptr<Nft>> {
    TRY(std::shared_ptr<Nft> nft, Nft::open());
    TRY(const bool present, nft->has_table(options.instance));
    if (!present) TRY_OK(nft->run(full_ruleset(options, known, first)));
    return nft;
  });
  if (!opened) co_return std::move(opened).error().during("install the rules of pods");
  nft_ = *std::move(opened);
  replace_all_ = true;
  tasks_.spawn("services", [this] { return run(); });
  co_return Unit{};
}

void Services::begin() {
  begun_ = true;
  touch();
}

Async<void> Services::stop() {
  co_await tasks_.stop();
}

void Services::touch() {
  ++wanted_;
  changed_.notify();
}

// Most changes of pods and slices change no frontend: they cost no transaction.
void Services::touch_if_changed() {
  if (table_.has_changed()) touch();
}

void Services::set_service(ServiceInfo service) {
  table_.set_service(std::move(service));
  touch_if_changed();
}

void Services::remove_service(const api::ObjectKey& key) {
  table_.remove_service(key);
  touch_if_changed();
}

void Services::set_slice(const api::ObjectKey& key, SliceInfo slice) {
  table_.set_slice(key, std::move(slice));
  touch_if_changed();
}

void Services::remove_slice(const api::ObjectKey& key) {
  table_.remove_slice(key);
  touch_if_changed();
}

void Services::set_host_ports(const std::string& pod_uid, Ipv4 ip, std::vector<HostPort> ports) {
  table_.set_host_ports(pod_uid, ip, std::move(ports));
  touch_if_changed();
}

void Services::forget_pod(const std::string& pod_uid) {
  table_.remove_pod(pod_uid);
  touch_if_changed();
}

void Services::set_facts(HostFacts facts) {
  if (facts == facts_) return;
  facts_ = std::move(facts);
  replace_all_ = true;
  touch();
}

void Services::check() {
  check_ = true;
  touch();
}

Async<void> Services::run() {
  Duration wait = kFirstRetry;
  for (;;) {
    while (!begun_ || applied_ == wanted_) {
      const bool woken = co_await changed_.wait();
      if (!woken) co_return;
    }
    auto done = co_await synchronize();
    last_error_ = done ? std::string() : done.error().message();
    progressed_.notify();
    if (done) {
      wait = kFirstRetry;
      continue;
    }
    log::warn("the rules of Services could not be changed", {{"error", done.error()}});
    replace_all_ = true;
    const bool slept = co_await timer_.sleep_for(wait);
    if (!slept) co_return;
    wait = std::min(2 * wait, kLongestRetry);
  }
}

struct Services::Plan {
  uint64_t target = 0;  // which of the changes told are in it
  bool whole = false;
  bool check = false;
  Frontends before, after;  // everything, or only what changed
  std::map<Ipv4, size_t> uses;
  BackendChange backends;
  std::set<Translation> udp_gone;
};

Services::Plan Services::plan() {
  Plan plan{.target = wanted_, .whole = replace_all_, .check = std::exchange(check_, false)};
  const std::set<Frontend> changed = table_.take_changed();
  if (plan.whole) {
    plan.before = programmed_;
    plan.after = table_.frontends();
  } else {
    for (const Frontend& frontend : changed) {
      if (const auto it = programmed_.find(frontend); it != programmed_.end()) {
        plan.before.insert(*it);
      }
      const auto it = table_.frontends().find(frontend);
      if (it != table_.frontends().end()) plan.after.insert(*it);
    }
    plan.uses = uses_;
  }
  for (const auto& [frontend, balancing] : plan.before) {
    const auto now = plan.after.find(frontend);
    for (const Backend& backend : balancing.backends) {
      if (!plan.whole && --plan.uses[backend.ip] == 0) plan.backends.gone.insert(backend.ip);
      if (frontend.protocol != Protocol::kUdp) continue;
      const bool stays =
          now != plan.after.end() && std::ranges::binary_search(now->second.backends, backend);
      if (!stays) plan.udp_gone.insert({frontend, backend});
    }
  }
  for (const auto& [frontend, balancing] : plan.after) {
    for (const Backend& backend : balancing.backends) {
      if (plan.uses[backend.ip]++ > 0 || plan.backends.gone.erase(backend.ip) > 0) continue;
      plan.backends.fresh.insert(backend.ip);
    }
  }
  return plan;
}

void Services::account(const Plan& plan) {
  if (plan.whole) {
    programmed_ = plan.after;
  } else {
    for (const auto& [frontend, balancing] : plan.before) programmed_.erase(frontend);
    for (const auto& [frontend, balancing] : plan.after) programmed_[frontend] = balancing;
  }
  const MonoTime now = timer_.monotonic();
  std::erase_if(left_, [now](const auto& entry) { return entry.second + kSettle < now; });
  for (const auto& [ip, count] : uses_) {
    const auto use = plan.uses.find(ip);
    if (use == plan.uses.end() || use->second == 0) left_[ip] = now;
  }
  uses_ = plan.uses;
  std::erase_if(uses_, [](const auto& use) { return use.second == 0; });
  applied_ = plan.target;
  ++transactions_;
}

Task<> Services::synchronize() {
  const auto todo = std::make_shared<const Plan>(plan());
  auto done =
      co_await pool_.run([nft = nft_, options = options_, facts = facts_, todo]() -> Result<> {
        if (todo->check && !todo->whole) {
          TRY(const bool present, nft->has_table(options.instance));
          if (!present)
            return Error(Code::kNotFound, "somebody removed the table " + options.instance);
        }
        const std::string commands =
            todo->whole ? full_ruleset(options, facts, todo->after)
                        : ruleset_change(options, todo->before, todo->after, todo->backends);
        if (!commands.empty()) TRY_OK(nft->run(commands));
        TRY_OK(forget_udp_flows(todo->udp_gone));
        return Unit{};
      });
  if (!done) co_return std::move(done).error();
  // set_facts() during the job asks for another replacement: it raised wanted_ past the target.
  if (todo->whole && wanted_ == todo->target) replace_all_ = false;
  account(*todo);
  co_return Unit{};
}

Task<> Services::drain(Ipv4 ip, Duration limit) {
  const MonoTime until = timer_.monotonic() + limit;
  table_.exclude(ip);
  const bool in_use = table_.has_changed() || uses_.contains(ip);
  touch_if_changed();
  if (in_use) CO_TRY_OK(co_await settled(limit));
  const auto left = left_.find(ip);
  if (left == left_.end()) co_return Unit{};
  const Duration rest = std::min(left->second + kSettle, until) - timer_.monotonic();
  if (rest > Duration::zero()) co_await timer_.sleep_for(rest);
  co_return Unit{};
}

Task<> Services::settled(Duration limit) {
  const uint64_t target = wanted_;
  const MonoTime until = timer_.monotonic() + limit;
  while (applied_ < target) {
    const Duration left = until - timer_.monotonic();
    if (left <= Duration::zero()) {
      co_return Error(Code::kTimeout, "the rules of Services are not in the kernel yet");
    }
    co_await progressed_.wait_for(timer_, left);
  }
  co_return Unit{};
}

}  // namespace atl::network

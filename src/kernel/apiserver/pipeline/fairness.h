#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "kernel/apiserver/contract/request_info.h"
#include "kernel/apiserver/contract/user.h"

namespace atl::apiserver {

// Bounds how many requests are worked on at a time; one more gets 429 with Retry-After at once
// instead of waiting in a queue that only grows. Nobody has more than a share of the places, and
// what runs the cluster (administrators, nodes, the control plane) has places of its own, so that
// no caller shuts the others out. All service accounts of a namespace are one caller: whoever may
// make one may make many. Owned by ApiServer; one executor.
class Fairness {
 public:
  // What a place is for. Bodies arrive before a write takes its place; streams are watch, log,
  // exec and the like.
  enum class Use : uint8_t { kRead, kWrite, kBody, kStream };
  static constexpr size_t kUses = 4;

  struct Limits {
    size_t reads = 400;
    size_t writes = 200;
    size_t bodies = 200;
    size_t streams = 8'000;  // half as many as the listener takes connections
  };
  explicit Fairness(Limits limits);

  // A place among the requests under way; given back by its destructor.
  class Ticket {
   public:
    explicit Ticket(std::function<void()> give_back) : give_back_(std::move(give_back)) {}
    Ticket(Ticket&& other) noexcept : give_back_(std::exchange(other.give_back_, nullptr)) {}
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket() {
      if (give_back_) give_back_();
    }

   private:
    std::function<void()> give_back_;
  };
  // kTooMany where all places, or those of this caller, are taken.
  Result<Ticket> admit(Use use, const UserInfo& user);

  size_t reads() const { return under_way(Use::kRead); }
  size_t writes() const { return under_way(Use::kWrite); }
  size_t streams() const { return under_way(Use::kStream); }

 private:
  struct Places {
    size_t limit = 0;
    size_t share = 0;         // of one caller
    size_t system_limit = 0;  // for what runs the cluster
    size_t taken = 0;
    size_t system_taken = 0;
    std::map<std::string, size_t, std::less<>> callers;  // who holds how many; never zero
  };
  size_t under_way(Use use) const;

  std::array<Places, kUses> places_;
};

// Is this a stream that lives as long as its client wants?
bool is_long_running(const RequestInfo& info);
bool is_mutating(const RequestInfo& info);
// The health paths: answered at any load.
bool is_probe(const RequestInfo& info);

}  // namespace atl::apiserver

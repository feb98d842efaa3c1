#pragma once

#include <memory>
#include <string>

#include "base/core/result.h"

namespace atl::network {

// nftables, in process through libnftables. Every call is one transaction: all of it, or nothing.
// Works on the network namespace of the thread that made it. Blocking (milliseconds); one thread at
// a time. kForbidden without the rights, kInvalid for what nftables refuses, in its own words.
class Nft {
 public:
  static Result<std::unique_ptr<Nft>> open();
  ~Nft();
  Nft(const Nft&) = delete;
  Nft& operator=(const Nft&) = delete;

  Result<> run(const std::string& commands);
  // The text that a "list" command prints.
  Result<std::string> query(const std::string& command);
  Result<bool> has_table(const std::string& table);

 private:
  explicit Nft(void* context) : context_(context) {}
  void* context_;  // nft_ctx
};

}  // namespace atl::network

#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace atl::crypto {

// Bytes that must not be seen: private keys, tokens, passwords. Value type. Prints as "***", wipes
// its memory when it goes. Whoever needs the bytes says so: reveal().
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(const Secret& other);
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(); }

  const std::string& reveal() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  size_t size() const { return bytes_.size(); }
  // In constant time for equal lengths.
  bool operator==(const Secret& other) const;

  friend std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "***"; }

 private:
  void wipe();
  std::string bytes_;
};

}  // namespace atl::crypto

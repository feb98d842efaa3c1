#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace atl::controllers {

// Completion indexes of a Job as its status writes them: "0,2-5,9". Kept as ranges, so that a Job
// of a hundred thousand indexes costs little. Value type.
class IndexSet {
 public:
  // Text that is no such list, and indexes not below `limit`, are left out: status is only what we
  // wrote ourselves.
  static IndexSet parse(std::string_view text, int64_t limit);

  bool contains(int64_t index) const;
  // False where it was there.
  bool add(int64_t index);
  int64_t size() const;
  bool empty() const { return ranges_.empty(); }
  std::string text() const;
  // How many indexes both have.
  int64_t common(const IndexSet& other) const;

 private:
  std::map<int64_t, int64_t> ranges_;  // first → last, never touching each other
};

}  // namespace atl::controllers

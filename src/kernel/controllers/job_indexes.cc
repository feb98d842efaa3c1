#include "kernel/controllers/job_indexes.h"

#include <algorithm>
#include <charconv>

namespace atl::controllers {
namespace {

bool read_number(std::string_view text, int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out >= 0;
}

}  // namespace

IndexSet IndexSet::parse(std::string_view text, int64_t limit) {
  IndexSet out;
  int64_t after = -1;  // ranges grow; one that does not is not ours
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const size_t dash = part.find('-');
    int64_t first = 0;
    int64_t last = 0;
    if (!read_number(part.substr(0, dash), first)) continue;
    last = first;
    if (dash != std::string_view::npos && !read_number(part.substr(dash + 1), last)) continue;
    last = std::min(last, limit - 1);
    if (first <= after || last < first) continue;
    if (first == after + 1 && !out.ranges_.empty()) {
      std::prev(out.ranges_.end())->second = last;  // "0,1" is one range
    } else {
      out.ranges_[first] = last;
    }
    after = last;
  }
  return out;
}

bool IndexSet::contains(int64_t index) const {
  auto it = ranges_.upper_bound(index);
  return it != ranges_.begin() && (--it)->second >= index;
}

bool IndexSet::add(int64_t index) {
  if (contains(index)) return false;
  int64_t first = index;
  int64_t last = index;
  auto next = ranges_.upper_bound(index);
  if (next != ranges_.end() && next->first == index + 1) {
    last = next->second;
    next = ranges_.erase(next);
  }
  if (next != ranges_.begin()) {
    const auto before = std::prev(next);
    if (before->second == index - 1) first = before->first;
  }
  ranges_[first] = last;
  return true;
}

int64_t IndexSet::size() const {
  int64_t out = 0;
  for (const auto& [first, last] : ranges_) out += last - first + 1;
  return out;
}

std::string IndexSet::text() const {
  std::string out;
  for (const auto& [first, last] : ranges_) {
    if (!out.empty()) out += ',';
    out += std::to_string(first);
    if (last > first) out += (last == first + 1 ? "," : "-") + std::to_string(last);
  }
  return out;
}

int64_t IndexSet::common(const IndexSet& other) const {
  int64_t out = 0;
  auto mine = ranges_.begin();
  auto theirs = other.ranges_.begin();
  while (mine != ranges_.end() && theirs != other.ranges_.end()) {
    const int64_t first = std::max(mine->first, theirs->first);
    const int64_t last = std::min(mine->second, theirs->second);
    if (first <= last) out += last - first + 1;
    if (mine->second < theirs->second) {
      ++mine;
    } else {
      ++theirs;
    }
  }
  return out;
}

}  // namespace atl::controllers

#include "load/etcd_peer.h"

#include <cstdint>

namespace bench {
namespace {

constexpr std::string_view kKey = "bench";
constexpr size_t kPrefixBytes = 5;  // of a gRPC message: compressed or not, length

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

// A field of type bytes.
void append_bytes(std::string& out, uint32_t number, std::string_view value) {
  append_varint(out, number << 3 | 2);
  append_varint(out, value.size());
  out += value;
}

std::string message(std::string_view body) {
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(body.size() >> shift);
  return out.append(body);
}

}  // namespace

// Counts the gRPC messages of one stream: the first says that the watch stands, each further one is
// an event.
class EtcdPeer::Messages final : public Receiver {
 public:
  explicit Messages(Deliveries& deliveries) : deliveries_(deliveries) {}
  void on_data(std::string_view piece) override {
    while (!piece.empty()) {
      if (prefix_.size() < kPrefixBytes) {
        prefix_ += piece.front();
        piece.remove_prefix(1);
        if (prefix_.size() < kPrefixBytes) continue;
        for (size_t i = 1; i < kPrefixBytes; ++i) rest_ = rest_ << 8 | uint8_t(prefix_[i]);
      }
      const size_t step = std::min(rest_, piece.size());
      rest_ -= step;
      piece.remove_prefix(step);
      if (rest_ == 0) finish();
    }
  }
  void on_end() override {
    if (!deliveries_.over) die("etcd ended a watch");
  }

 private:
  void finish() {
    prefix_.clear();
    if (stands_) return deliveries_.arrived(1);
    stands_ = true;
    deliveries_.ready();
  }

  Deliveries& deliveries_;
  std::string prefix_;
  size_t rest_ = 0;
  bool stands_ = false;
};

EtcdPeer::EtcdPeer(const Options& options)
    : options_(options), watchers_(options.number("watchers")), deliveries_(watchers_) {
  std::string create;  // WatchCreateRequest.key
  append_bytes(create, 1, kKey);
  std::string watch;  // WatchRequest.create_request
  append_bytes(watch, 1, create);
  watch_ = message(watch);
  std::string put;  // PutRequest.key, .value
  append_bytes(put, 1, kKey);
  append_bytes(put, 2, std::string(options.number("bytes"), 'x'));
  put_ = message(put);
}

EtcdPeer::~EtcdPeer() {
  deliveries_.over = true;
}

void EtcdPeer::put() {
  ask(connections_, 0,
      {.method = "POST",
       .path = "/etcdserverpb.KV/Put",
       .body = put_,
       .content_type = "application/grpc"});
}

void EtcdPeer::run() {
  Target target;
  target.port = static_cast<uint16_t>(options_.number("etcd"));
  target.tls = false;
  connections_.push_back(std::make_unique<Connection>(target));
  put();
  const size_t streams = std::max<size_t>(1, options_.number("streams"));
  for (size_t i = 0; i < watchers_; ++i) {
    if (i % streams == 0) connections_.push_back(std::make_unique<Connection>(target));
    messages_.push_back(std::make_unique<Messages>(deliveries_));
    connections_.back()->send({.method = "POST",
                               .path = "/etcdserverpb.Watch/Watch",
                               .body = watch_,
                               .content_type = "application/grpc",
                               .stays_open = true},
                              *messages_.back());
  }
  run_until(connections_, [&] { return deliveries_.all_ready(); }, "etcd's watches to open");
  for (size_t i = 0; i < options_.number("events"); ++i) {
    deliveries_.expect();
    put();
    run_until(connections_, [&] { return deliveries_.complete(); }, "etcd's event");
  }
}

}  // namespace bench

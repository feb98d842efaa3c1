#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/io/files.h"
#include "base/net/transport_impl.h"

namespace atl::net {
namespace {

constexpr size_t kMaxPieces = 64;  // of one sendmsg

Error broken(std::string_view what) {
  return Error(Code::kUnavailable, io::errno_error(what, errno).message());
}

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK;
}

}  // namespace

struct Socket::Waitable {
  Waitable(const Executor& executor, int fd) : descriptor(executor, fd) {}
  asio::posix::stream_descriptor descriptor;
};

Socket::Socket(const Executor& executor, io::UniqueFd fd)
    : waitable_(std::make_unique<Waitable>(executor, fd.release())) {}
Socket::~Socket() = default;

int Socket::fd() const {
  return waitable_->descriptor.native_handle();
}

Task<bool> Socket::wait_readable() {
  if (failure_) co_return *failure_;
  const auto [error] = co_await waitable_->descriptor.async_wait(
      asio::posix::descriptor_base::wait_read, asio::as_tuple(asio::use_awaitable));
  if (failure_) co_return *failure_;
  co_return !error;
}

Task<bool> Socket::wait_writable() {
  if (failure_) co_return *failure_;
  const auto [error] = co_await waitable_->descriptor.async_wait(
      asio::posix::descriptor_base::wait_write, asio::as_tuple(asio::use_awaitable));
  if (failure_) co_return *failure_;
  co_return !error;
}

void Socket::interrupt() {
  boost::system::error_code ignored;
  waitable_->descriptor.cancel(ignored);
}

void Socket::fail(Error error) {
  if (!failure_) failure_ = std::move(error);
  ::shutdown(fd(), SHUT_RDWR);  // the peer learns of it now, not when the last owner lets go
  interrupt();
}

void Transport::shutdown_write() {
  ::shutdown(socket_.fd(), SHUT_WR);
}

Async<void> Transport::pass_turn() {
  const Executor executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
}

Task<size_t> Transport::read_some(std::span<char> into) {
  if (turn_is_over()) co_await pass_turn();
  while (true) {
    CO_TRY(const auto count, try_read(into));
    if (count) co_return *count;
    CO_TRY_OK(co_await wait_readable());
  }
}

Task<> Transport::write_all(std::vector<std::string_view> pieces) {
  if (turn_is_over()) co_await pass_turn();
  while (true) {
    CO_TRY(const size_t taken, try_write(pieces));
    drop_front(pieces, taken);
    if (pieces.empty()) co_return Unit{};
    CO_TRY_OK(co_await wait_writable());
  }
}

Result<std::optional<size_t>> PlainTransport::try_read(std::span<char> into) {
  if (socket_.failure()) return *socket_.failure();
  while (true) {
    const ssize_t count = ::recv(socket_.fd(), into.data(), into.size(), 0);
    if (count >= 0) return std::optional<size_t>(static_cast<size_t>(count));
    if (errno == EINTR) continue;
    if (would_block()) return std::optional<size_t>();
    return broken("read");
  }
}

Result<size_t> PlainTransport::try_write(std::span<const std::string_view> pieces) {
  if (socket_.failure()) return *socket_.failure();
  size_t total = 0;
  size_t first = 0;   // the piece to go on with
  size_t offset = 0;  // bytes of it that are gone
  while (first < pieces.size()) {
    std::array<iovec, kMaxPieces> vectors;
    size_t count = 0;
    size_t offered = 0;
    for (size_t i = first; i < pieces.size() && count < kMaxPieces; ++i) {
      const std::string_view piece = i == first ? pieces[i].substr(offset) : pieces[i];
      vectors[count++] = {const_cast<char*>(piece.data()), piece.size()};
      offered += piece.size();
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(socket_.fd(), &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && would_block()) break;
    if (sent < 0) return broken("write");
    total += static_cast<size_t>(sent);
    size_t left = static_cast<size_t>(sent);
    while (first < pieces.size() && left >= pieces[first].size() - offset) {
      left -= pieces[first].size() - offset;
      offset = 0;
      ++first;
    }
    offset += left;
    if (static_cast<size_t>(sent) < offered) break;
  }
  return total;
}

void drop_front(std::vector<std::string_view>& pieces, size_t count) {
  size_t gone = 0;
  while (gone < pieces.size() && count >= pieces[gone].size()) count -= pieces[gone++].size();
  pieces.erase(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(gone));
  if (count > 0) pieces.front().remove_prefix(count);
}

std::span<char> read_scratch() {
  thread_local std::array<char, 64 * 1024> buffer;
  return buffer;
}

namespace {

class TransportStream final : public ByteStream {
 public:
  TransportStream(std::unique_ptr<Transport> transport, std::string early)
      : transport_(std::move(transport)), early_(std::move(early)) {}

  Task<size_t> read_some(std::span<char> into) override {
    if (early_.empty()) co_return co_await transport_->read_some(into);
    const size_t count = std::min(into.size(), early_.size());
    std::copy_n(early_.data(), count, into.data());
    early_.erase(0, count);
    co_return count;
  }
  Task<> write(std::string_view bytes) override { return transport_->write_all({bytes}); }
  Task<> shutdown_write() override {
    transport_->shutdown_write();
    co_return Unit{};
  }
  void close() override {
    transport_->fail(Error(Code::kUnavailable, "the connection was closed"));
  }

 private:
  std::unique_ptr<Transport> transport_;
  std::string early_;
};

}  // namespace

std::unique_ptr<ByteStream> make_stream(std::unique_ptr<Transport> transport, std::string early) {
  return std::make_unique<TransportStream>(std::move(transport), std::move(early));
}

}  // namespace atl::net

#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/async/task.h"
#include "base/io/unique_fd.h"
#include "base/net/http.h"

namespace atl::net {

// A connected stream socket: a file descriptor that can be waited for. Non-blocking, TCP_NODELAY.
// Owned by one transport; whoever waits keeps that alive until the wait has returned. One executor.
class Socket {
 public:
  Socket(const Executor& executor, io::UniqueFd fd);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const;
  // True: try again. False: interrupt() was called. The error given to fail(), or kCancelled.
  Task<bool> wait_readable();
  Task<bool> wait_writable();
  // Wakes whoever waits now.
  void interrupt();
  // Every wait and every operation gives this error from now on; the first one stands.
  void fail(Error error);
  const std::optional<Error>& failure() const { return failure_; }

 private:
  struct Waitable;
  std::unique_ptr<Waitable> waitable_;
  std::optional<Error> failure_;
};

// Bytes over a socket, in clear or through TLS. Reading and writing never block; waiting is apart,
// so that an idle connection holds no buffer. One reader and one writer at a time. One executor.
class Transport {
 public:
  Transport(const Executor& executor, io::UniqueFd fd) : socket_(executor, std::move(fd)) {}
  virtual ~Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // The bytes that are there: 0 at the end of the stream, nothing where one has to wait.
  virtual Result<std::optional<size_t>> try_read(std::span<char> into) = 0;
  // How many bytes of the pieces were taken, in order; fewer than all: one has to wait.
  virtual Result<size_t> try_write(std::span<const std::string_view> pieces) = 0;
  virtual Task<bool> wait_readable() { return socket_.wait_readable(); }
  virtual Task<bool> wait_writable() { return socket_.wait_writable(); }
  // Says that nothing more will be written; best effort.
  virtual void shutdown_write();

  // Who never has to wait, because the peer is fast, still lets others have their turn: to be asked
  // before each operation of a loop, and where true, pass_turn() awaited.
  bool turn_is_over() { return ++in_a_row_ % kOperationsInATurn == 0; }
  Async<void> pass_turn();

  void interrupt() { socket_.interrupt(); }
  void fail(Error error) { socket_.fail(std::move(error)); }

  Task<size_t> read_some(std::span<char> into);
  // Everything. The bytes must stay until it returns.
  Task<> write_all(std::vector<std::string_view> pieces);

 protected:
  Socket socket_;

 private:
  static constexpr uint32_t kOperationsInATurn = 16;
  uint32_t in_a_row_ = 0;
};

class PlainTransport final : public Transport {
 public:
  using Transport::Transport;
  Result<std::optional<size_t>> try_read(std::span<char> into) override;
  Result<size_t> try_write(std::span<const std::string_view> pieces) override;
};

// Drops `count` bytes from the front of the pieces.
void drop_front(std::vector<std::string_view>& pieces, size_t count);

// Where bytes are read to before anybody owns them. One for each thread: its content is gone at the
// next co_await.
std::span<char> read_scratch();

// The byte pipe over a transport that others see; `early` was read before the pipe was made.
std::unique_ptr<ByteStream> make_stream(std::unique_ptr<Transport> transport, std::string early);

}  // namespace atl::net

#include "load/h2_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {
namespace {

constexpr int32_t kStreamWindow = 4 << 20;
constexpr int32_t kConnectionWindow = 1 << 30;
constexpr size_t kReadBytes = 64 * 1024;
constexpr size_t kWriteBytes = 64 * 1024;
constexpr int kWaitMilliseconds = 100;

nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct Callbacks {
  static Receiver* receiver(nghttp2_session* session, int32_t stream) {
    return static_cast<Receiver*>(nghttp2_session_get_stream_user_data(session, stream));
  }
  static int header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_size, const uint8_t* value, size_t value_size, uint8_t, void*) {
    const std::string_view key(reinterpret_cast<const char*>(name), name_size);
    if (key != ":status") return 0;
    const std::string text(reinterpret_cast<const char*>(value), value_size);
    if (Receiver* to = receiver(session, frame->hd.stream_id))
      to->on_status(std::atoi(text.c_str()));
    return 0;
  }
  static int data(nghttp2_session* session, uint8_t, int32_t stream, const uint8_t* bytes,
                  size_t size, void*) {
    if (Receiver* to = receiver(session, stream))
      to->on_data({reinterpret_cast<const char*>(bytes), size});
    return 0;
  }
  static int closed(nghttp2_session* session, int32_t stream, uint32_t, void* user) {
    static_cast<Connection*>(user)->uploads_.erase(stream);
    if (Receiver* to = receiver(session, stream)) to->on_end();
    return 0;
  }
  static ssize_t upload(nghttp2_session*, int32_t stream, uint8_t* into, size_t room,
                        uint32_t* flags, nghttp2_data_source*, void* user) {
    Connection::Upload& upload = static_cast<Connection*>(user)->uploads_.at(stream);
    if (upload.rest.empty() && upload.stays_open) return NGHTTP2_ERR_DEFERRED;
    const size_t size = std::min(room, upload.rest.size());
    std::memcpy(into, upload.rest.data(), size);
    upload.rest.remove_prefix(size);
    if (upload.rest.empty() && !upload.stays_open) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }
};

void die(std::string_view text) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
  std::exit(1);
}

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

double percentile(const std::vector<double>& sorted, double part) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<size_t>(std::ceil(part * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

Connection::Connection(const Target& target)
    : authority_(target.address + ":" + std::to_string(target.port)) {
  connect(target);
  if (target.tls) start_tls(target);
  ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::closed);
  nghttp2_session_client_new(&session_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

Connection::~Connection() {
  nghttp2_session_del(session_);
  SSL_free(ssl_);
  SSL_CTX_free(context_);
  ::close(fd_);
}

void Connection::connect(const Target& target) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(target.port);
  if (::inet_pton(AF_INET, target.address.c_str(), &to.sin_addr) != 1)
    die(target.address + " is not an address");
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
    die("cannot connect to " + authority_ + ": " + std::strerror(errno));
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void Connection::start_tls(const Target& target) {
  context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_read_ahead(context_, 1);
  SSL_CTX_set_default_read_buffer_len(context_, kReadBytes);
  SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const char* file = target.pem.c_str();
  if (!target.pem.empty() && (SSL_CTX_use_certificate_chain_file(context_, file) != 1 ||
                              SSL_CTX_use_PrivateKey_file(context_, file, SSL_FILETYPE_PEM) != 1))
    die(target.pem + " holds no certificate and key");
  static constexpr unsigned char kAlpn[] = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context_, kAlpn, sizeof kAlpn);
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, fd_);
  if (SSL_connect(ssl_) != 1) die("TLS with " + authority_ + " failed");
}

void Connection::send(const Request& request, Receiver& receiver) {
  std::vector<nghttp2_nv> fields = {field(":method", request.method),
                                    field(":scheme", ssl_ != nullptr ? "https" : "http"),
                                    field(":authority", authority_), field(":path", request.path),
                                    field("user-agent", "atoll-bench")};
  const bool has_body = !request.body.empty();
  if (has_body) fields.push_back(field("content-type", request.content_type));
  if (request.content_type == "application/grpc") fields.push_back(field("te", "trailers"));
  nghttp2_data_provider provider{};
  provider.read_callback = Callbacks::upload;
  const int32_t id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                                            has_body ? &provider : nullptr, &receiver);
  if (id < 0) die(nghttp2_strerror(id));
  if (has_body) uploads_[id] = {request.body, request.stays_open};
}

size_t Connection::read_some(char* into, size_t room) {
  if (ssl_ != nullptr) {
    size_t got = 0;
    const int returned = SSL_read_ex(ssl_, into, room, &got);
    if (returned == 1) return got;
    const int error = SSL_get_error(ssl_, returned);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
      die("the server closed the connection");
    return 0;
  }
  const ssize_t got = ::recv(fd_, into, room, 0);
  if (got == 0 || (got < 0 && errno != EAGAIN)) die("the server closed the connection");
  return got < 0 ? 0 : static_cast<size_t>(got);
}

size_t Connection::write_some(const char* from, size_t size) {
  if (ssl_ != nullptr) {
    size_t sent = 0;
    const int returned = SSL_write_ex(ssl_, from, size, &sent);
    if (returned == 1) return sent;
    const int error = SSL_get_error(ssl_, returned);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
      die("the server closed the connection");
    return 0;
  }
  const ssize_t sent = ::send(fd_, from, size, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) die("the server closed the connection");
  return sent < 0 ? 0 : static_cast<size_t>(sent);
}

void Connection::read() {
  static std::array<char, kReadBytes> buffer;
  while (const size_t got = read_some(buffer.data(), buffer.size())) {
    const ssize_t used =
        nghttp2_session_mem_recv(session_, reinterpret_cast<uint8_t*>(buffer.data()), got);
    if (used < 0) die(nghttp2_strerror(static_cast<int>(used)));
  }
}

void Connection::write() {
  for (;;) {
    while (unsent_.size() < kWriteBytes) {
      const uint8_t* frame = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &frame);
      if (size <= 0) break;
      unsent_.append(reinterpret_cast<const char*>(frame), static_cast<size_t>(size));
    }
    if (unsent_.empty()) return;
    const size_t sent = write_some(unsent_.data(), unsent_.size());
    unsent_.erase(0, sent);
    if (sent == 0) return;
  }
}

void Connection::pump() {
  read();
  write();
}

void run_until(const std::vector<std::unique_ptr<Connection>>& connections,
               const std::function<bool()>& done, std::string_view what,
               std::chrono::seconds limit) {
  const auto end = Clock::now() + limit;
  std::vector<pollfd> fds;
  for (const auto& connection : connections) fds.push_back({connection->fd(), POLLIN, 0});
  for (;;) {
    for (const auto& connection : connections) connection->pump();
    if (done()) return;
    if (Clock::now() > end) die(std::string("gave up waiting for ") + std::string(what));
    for (size_t i = 0; i < fds.size(); ++i)
      fds[i].events = short(POLLIN | (connections[i]->wants_to_write() ? POLLOUT : 0));
    ::poll(fds.data(), fds.size(), kWaitMilliseconds);
  }
}

namespace {

struct Answer final : Receiver {
  int status = 0;
  bool ended = false;
  std::string body;
  void on_status(int code) override { status = code; }
  void on_data(std::string_view piece) override { body += piece; }
  void on_end() override { ended = true; }
};

}  // namespace

std::string ask(const std::vector<std::unique_ptr<Connection>>& connections, size_t which,
                const Request& request) {
  Answer answer;
  connections[which]->send(request, answer);
  run_until(connections, [&] { return answer.ended; }, request.path);
  if (answer.status >= 400 || answer.status == 0)
    die(request.method + " " + request.path + ": " + std::to_string(answer.status) + " " +
        answer.body.substr(0, 300));
  return answer.body;
}

}  // namespace bench

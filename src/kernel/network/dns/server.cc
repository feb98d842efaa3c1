#include "kernel/network/dns/server.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <array>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "base/io/files.h"
#include "base/observe/log.h"
#include "kernel/network/dns/counted_impl.h"
#include "kernel/network/dns/sockets_impl.h"

namespace atl::network::dns {
namespace {

using asio::ip::tcp;
using asio::ip::udp;

constexpr Duration kReadAgain = std::chrono::seconds(10);
constexpr size_t kClientsServed = 8;  // however much each of them asks
constexpr Duration kAfterFailure = std::chrono::milliseconds(100);

Error listen_error(const std::string& address, uint16_t port,
                   const boost::system::error_code& error) {
  if (error == asio::error::address_in_use) {
    return Error(Code::kExists,
                 fmt::format("port {} of {} is taken by another name server", port, address));
  }
  return io::errno_error(fmt::format("listen on {}:{}", address, port), error.value());
}

// One TCP client: questions one after the other, until it is idle for too long.
Async<void> serve_connection(std::shared_ptr<tcp::socket> socket, Executor executor, Timer& timer,
                             Resolver& resolver) {
  for (;;) {
    const Deadline<tcp::socket> deadline(executor, timer, socket, DnsServer::kIdle);
    std::array<uint8_t, 2> size{};
    auto [size_error, size_read] = co_await asio::async_read(*socket, asio::buffer(size), kAwait);
    const size_t length = size_t(size[0]) << 8 | size[1];
    if (size_error || length > kMostQueryBytes) co_return;
    Bytes query(length);
    auto [read_error, read] = co_await asio::async_read(*socket, asio::buffer(query), kAwait);
    if (read_error) co_return;
    const Bytes reply = co_await resolver.answer(std::move(query), Transport::kTcp);
    if (reply.empty()) co_return;
    const std::array<uint8_t, 2> head = {uint8_t(reply.size() >> 8), uint8_t(reply.size())};
    const std::array<asio::const_buffer, 2> out = {asio::buffer(head), asio::buffer(reply)};
    auto [write_error, written] = co_await asio::async_write(*socket, out, kAwait);
    if (write_error) co_return;
  }
}

}  // namespace

struct DnsServer::Sockets {
  explicit Sockets(const Executor& executor)
      : udp_socket(std::make_shared<udp::socket>(executor)), acceptor(executor) {}
  std::shared_ptr<udp::socket> udp_socket;
  tcp::acceptor acceptor;
};

DnsServer::DnsServer(Executor executor, Timer& timer, Rng& rng, BlockingPool& pool,
                     const Options& options, std::string resolv_conf)
    : executor_(executor),
      timer_(timer),
      pool_(pool),
      resolv_conf_(std::move(resolv_conf)),
      self_(options.link_ip),
      zone_(options),
      exchange_(executor, timer),
      forwarder_(timer, rng, exchange_, [this] { return upstreams_; }),
      resolver_(zone_, forwarder_),
      sockets_(std::make_unique<Sockets>(executor)),
      questions_of_(Forwarder::kMostInFlight / kClientsServed),
      connections_of_(kMostConnections / kClientsServed),
      tasks_(executor) {}

DnsServer::~DnsServer() = default;

Result<uint16_t> DnsServer::listen(const std::string& address, uint16_t port) {
  boost::system::error_code error;
  const auto ip = asio::ip::make_address_v4(address, error);
  if (error) return Error(Code::kInvalid, "'" + address + "' is not an IPv4 address");
  auto& [udp_socket, acceptor] = *sockets_;
  acceptor.open(tcp::v4(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind({ip, port}, error);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error) return listen_error(address, port, error);
  close_on_exec(acceptor);
  port = acceptor.local_endpoint().port();
  udp_socket->open(udp::v4(), error);
  if (!error) udp_socket->bind({ip, port}, error);
  if (error) return listen_error(address, port, error);
  close_on_exec(*udp_socket);
  tasks_.spawn("dns udp", [this] { return serve_udp(); });
  tasks_.spawn("dns tcp", [this] { return serve_tcp(); });
  tasks_.spawn("dns upstreams", [this] { return follow_resolv_conf(); });
  return port;
}

Async<void> DnsServer::stop() {
  boost::system::error_code ignored;
  sockets_->udp_socket->close(ignored);
  sockets_->acceptor.close(ignored);
  co_await tasks_.stop();
}

Async<void> DnsServer::serve_udp() {
  const auto socket = sockets_->udp_socket;
  Bytes buffer(kMostQueryBytes);
  while (socket->is_open()) {
    udp::endpoint client;
    auto [error, size] = co_await socket->async_receive_from(asio::buffer(buffer), client, kAwait);
    if (error) continue;  // an ICMP error of an earlier reply, say
    Bytes packet(buffer.begin(), buffer.begin() + long(size));
    auto share = questions_of_.take(client.address().to_v4().to_uint());
    if (!share) {
      const Bytes no = refusal(packet, Rcode::kServerFailure);
      if (!no.empty()) socket->send_to(asio::buffer(no), client, 0, error);
      continue;
    }
    // Each in a task of its own: a slow server elsewhere keeps nobody waiting.
    const auto held = std::make_shared<Shares::Share>(*std::move(share));
    tasks_.spawn("dns question",
                 [this, socket, client, held, packet = std::move(packet)]() -> Async<void> {
                   const Bytes reply = co_await resolver_.answer(packet, Transport::kUdp);
                   if (reply.empty()) co_return;
                   boost::system::error_code ignored;  // a datagram may get lost anyway
                   socket->send_to(asio::buffer(reply), client, 0, ignored);
                 });
  }
}

Async<void> DnsServer::serve_tcp() {
  while (sockets_->acceptor.is_open()) {
    const auto socket = std::make_shared<tcp::socket>(executor_);
    auto [error] = co_await sockets_->acceptor.async_accept(*socket, kAwait);
    if (error) {
      const bool slept = co_await timer_.sleep_for(kAfterFailure);  // out of fds: not in a circle
      if (!slept) co_return;
      continue;
    }
    close_on_exec(*socket);
    boost::system::error_code gone;
    const auto client = socket->remote_endpoint(gone);
    if (gone || connections_ >= kMostConnections) continue;  // closes it
    auto share = connections_of_.take(client.address().to_v4().to_uint());
    if (!share) continue;
    const auto held = std::make_shared<Shares::Share>(*std::move(share));
    tasks_.spawn("dns connection", [this, socket, held]() -> Async<void> {
      const Counted counted(connections_);
      co_await serve_connection(socket, executor_, timer_, resolver_);
    });
  }
}

Async<void> DnsServer::follow_resolv_conf() {
  std::string before;
  for (;;) {
    const auto done = co_await read_resolv_conf();
    const std::string now = done ? std::string() : done.error().message();
    if (!done && now != before) {
      log::warn("names outside the cluster cannot be resolved", {{"error", done.error()}});
    }
    before = now;
    const bool slept = co_await timer_.sleep_for(kReadAgain);
    if (!slept) co_return;
  }
}

Task<> DnsServer::read_resolv_conf() {
  auto text = co_await pool_.run([file = resolv_conf_] { return io::read_file(file, 1 << 16); });
  if (!text) co_return std::move(text).error();
  std::vector<Upstream> now = parse_resolv_conf(*text, self_);
  if (now != upstreams_) {
    upstreams_ = std::move(now);
    forwarder_.cache().clear();
  }
  if (upstreams_.empty())
    co_return Error(Code::kUnavailable, resolv_conf_ + " names no name server");
  co_return Unit{};
}

}  // namespace atl::network::dns

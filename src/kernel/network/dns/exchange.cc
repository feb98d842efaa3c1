#include "kernel/network/dns/exchange.h"

#include <fmt/format.h>

#include <array>
#include <memory>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "kernel/network/dns/sockets_impl.h"

namespace atl::network::dns {
namespace {

using asio::ip::tcp;
using asio::ip::udp;

bool same_id(const Bytes& query, const Bytes& reply) {
  return reply.size() >= 2 && query[0] == reply[0] && query[1] == reply[1];
}

template <class Socket>
Error failed(const Upstream& upstream, const Deadline<Socket>& deadline,
             const boost::system::error_code& error) {
  if (deadline.passed()) {
    return Error(Code::kTimeout, fmt::format("{} did not answer in time", upstream.address));
  }
  return Error(Code::kUnavailable, fmt::format("{}: {}", upstream.address, error.message()));
}

Task<Bytes> ask_udp(Executor executor, Timer& timer, Upstream upstream, Bytes query,
                    Duration limit) {
  boost::system::error_code error;
  const udp::endpoint server(asio::ip::make_address(upstream.address, error), upstream.port);
  const auto socket = std::make_shared<udp::socket>(executor);
  if (!error) socket->open(server.protocol(), error);
  if (!error) close_on_exec(*socket);
  if (!error) socket->connect(server, error);  // so that only this server's packets arrive
  const Deadline<udp::socket> deadline(executor, timer, socket, limit);
  if (error) co_return failed(upstream, deadline, error);
  auto [send_error, sent] = co_await socket->async_send(asio::buffer(query), kAwait);
  if (send_error) co_return failed(upstream, deadline, send_error);
  for (;;) {
    Bytes reply(kMostTcpBytes);
    auto [receive_error, size] = co_await socket->async_receive(asio::buffer(reply), kAwait);
    if (receive_error) co_return failed(upstream, deadline, receive_error);
    reply.resize(size);
    reply.shrink_to_fit();
    if (same_id(query, reply)) co_return reply;  // else: somebody guesses
  }
}

Task<Bytes> ask_tcp(Executor executor, Timer& timer, Upstream upstream, Bytes query,
                    Duration limit) {
  boost::system::error_code error;
  const tcp::endpoint server(asio::ip::make_address(upstream.address, error), upstream.port);
  const auto socket = std::make_shared<tcp::socket>(executor);
  if (!error) socket->open(server.protocol(), error);
  if (!error) close_on_exec(*socket);
  const Deadline<tcp::socket> deadline(executor, timer, socket, limit);
  if (error) co_return failed(upstream, deadline, error);
  auto [connect_error] = co_await socket->async_connect(server, kAwait);
  if (connect_error) co_return failed(upstream, deadline, connect_error);
  const std::array<uint8_t, 2> head = {uint8_t(query.size() >> 8), uint8_t(query.size())};
  const std::array<asio::const_buffer, 2> out = {asio::buffer(head), asio::buffer(query)};
  auto [write_error, written] = co_await asio::async_write(*socket, out, kAwait);
  if (write_error) co_return failed(upstream, deadline, write_error);
  std::array<uint8_t, 2> size{};
  auto [size_error, size_read] = co_await asio::async_read(*socket, asio::buffer(size), kAwait);
  if (size_error) co_return failed(upstream, deadline, size_error);
  Bytes reply(size_t(size[0]) << 8 | size[1]);
  auto [read_error, read] = co_await asio::async_read(*socket, asio::buffer(reply), kAwait);
  if (read_error) co_return failed(upstream, deadline, read_error);
  if (!same_id(query, reply)) {
    co_return Error(Code::kUnavailable, upstream.address + " answered something else");
  }
  co_return reply;
}

}  // namespace

Task<Bytes> SocketExchange::ask(Upstream upstream, Bytes query, Transport transport,
                                Duration limit) {
  if (transport == Transport::kTcp) {
    co_return co_await ask_tcp(executor_, timer_, std::move(upstream), std::move(query), limit);
  }
  co_return co_await ask_udp(executor_, timer_, std::move(upstream), std::move(query), limit);
}

}  // namespace atl::network::dns

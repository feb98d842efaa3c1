#include "base/net/server_impl.h"

namespace atl::net {

Async<void> serve_http2(ServerCore&, std::unique_ptr<Transport>, Peer, std::string) {
  co_return;
}

}  // namespace atl::net

#include "gateway/gateway.h"

namespace atl::gateway {

Gateway::Gateway(api::Client& client, api::InformerSet& informers, api::Seams seams,
                 BlockingPool& pool, Options options)
    : events_(client, seams, "atoll-gateway"),
      ingress_(client, informers, seams, events_, pool, std::move(options)),
      loop_(ingress_, seams, {.workers = 1}) {}

Task<> Gateway::start(std::string default_certificate_pem) {
  CO_TRY_OK(co_await ingress_.prepare(std::move(default_certificate_pem)));
  loop_.start();
  co_return Unit{};
}

Async<void> Gateway::stop() {
  co_await loop_.stop();
  co_await events_.stop();
}

std::string Gateway::health() const {
  return loop_.health() + (ingress_.live() ? "" : "; HAProxy does not answer");
}

}  // namespace atl::gateway

#pragma once

#include <memory>
#include <string>

#include "base/net/client.h"
#include "base/net/http2_session_impl.h"

namespace atl::net {

// A client's connection over HTTP/2: any number of requests at once. Reads in the background until
// the peer or the pool ends it; alive as long as that, or a stream of it, is.
class Http2Client final : public Http2Session {
 public:
  static constexpr size_t kHeaderBytes = 256 * 1024;
  static constexpr size_t kStreamsMax = 1'000;
  // A peer that is silent while answers are awaited is asked, and given up when it stays so.
  static constexpr Duration kSilenceMax = std::chrono::seconds(30);
  static constexpr Duration kPingAnswerMax = std::chrono::seconds(15);

  static std::shared_ptr<Http2Client> start(const Executor& executor,
                                            std::unique_ptr<Transport> transport,
                                            std::shared_ptr<Deadlines> deadlines);

  // Whether one more request can go out now.
  bool has_room() const;

  struct Sent {
    Result<ClientResponse> response;
    bool untouched = false;  // the server has not looked at the request
  };
  Async<Sent> send(ClientRequest request, std::string authority, std::string scheme,
                   MonoTime deadline);

 protected:
  void activity_changed() override;
  void run_writer() override;

 private:
  class Stream;
  class Body;
  class ResetUnlessAnswered;

  Http2Client(const Executor& executor, std::unique_ptr<Transport> transport,
              std::shared_ptr<Deadlines> deadlines);
  void check_silence();
  Result<> submit(Stream& stream, const ClientRequest& request, const std::string& authority,
                  const std::string& scheme);
  Error closed_error(const Stream& stream) const;

  Deadlines::Entry silence_;
  bool pinged_ = false;
};

}  // namespace atl::net

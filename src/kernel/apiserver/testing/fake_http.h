#pragma once

#include <deque>
#include <memory>
#include <string>

#include "base/async/event.h"
#include "base/net/http.h"

namespace atl::apiserver {

// A body that is there already.
class FakeBody final : public net::BodyReader {
 public:
  explicit FakeBody(std::string text) : text_(std::move(text)) {}
  Task<std::string> read_some() override { co_return std::exchange(text_, {}); }

 private:
  std::string text_;
};

// What a handler answered, with no network between.
struct FakeReply {
  int status = 0;
  net::Headers headers;
  std::string body;       // all of it, or of a stream: what was not taken yet
  bool finished = false;  // the handler said that nothing more comes
  bool closed = false;    // the handler of an opened stream returned, finished or not
  Event changed;
};

// Keeps the answer of one request. The reply is shared, because a stream outlives its request's
// test.
class FakeResponder final : public net::Responder {
 public:
  explicit FakeResponder(std::shared_ptr<FakeReply> reply) : reply_(std::move(reply)) {}

  Task<> send(net::Response response) override {
    reply_->status = response.status;
    reply_->headers = std::move(response.headers);
    for (const SharedBytes& piece : response.body) reply_->body += *piece;
    reply_->finished = true;
    reply_->changed.notify();
    co_return Unit{};
  }
  Task<std::unique_ptr<net::ResponseStream>> stream(int status, net::Headers headers) override {
    reply_->status = status;
    reply_->headers = std::move(headers);
    co_return std::make_unique<Stream>(reply_);
  }
  Task<std::unique_ptr<net::ByteStream>> upgrade(net::Headers) override {
    co_return Error(Code::kBadRequest, "a fake connection cannot be upgraded");
  }
  bool answered() const override { return reply_->status != 0; }

 private:
  class Stream final : public net::ResponseStream {
   public:
    explicit Stream(std::shared_ptr<FakeReply> reply) : reply_(std::move(reply)) {}
    Task<> write_all(std::vector<SharedBytes> pieces) override {
      for (const SharedBytes& piece : pieces) reply_->body += *piece;
      reply_->changed.notify();
      co_return Unit{};
    }
    Task<> finish(net::Headers) override {
      reply_->finished = true;
      reply_->changed.notify();
      co_return Unit{};
    }

   private:
    std::shared_ptr<FakeReply> reply_;
  };

  std::shared_ptr<FakeReply> reply_;
};

}  // namespace atl::apiserver

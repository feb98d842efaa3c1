#include <boost/beast/http/basic_parser.hpp>

#include "base/net/fields_impl.h"
#include "base/net/http1_parser_impl.h"

namespace atl::net {
namespace {

namespace http = boost::beast::http;
using ErrorCode = boost::beast::error_code;
using Text = boost::beast::string_view;

std::string_view view(Text text) {
  return {text.data(), text.size()};
}

// "0 CR LF CR LF". Every chunked body ends with it, so it is never wrong to wait for as many bytes;
// and Beast aborts on a last chunk of which it first sees three and then four bytes.
constexpr size_t kShortestLastChunk = 5;

constexpr Fault kTooLarge{431, "the header is too large"};
constexpr Fault kBroken{400, "malformed HTTP/1 message"};

Fault fault_of(const ErrorCode& error) {
  if (error == http::error::header_limit) return kTooLarge;
  if (error == http::error::bad_version) return {505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  if (error == http::error::bad_content_length || error == http::error::multiple_content_length) {
    return {400, "bad Content-Length"};
  }
  if (error == http::error::bad_transfer_encoding)
    return {400, "Transfer-Encoding and Content-Length exclude each other"};
  if (error == http::error::bad_chunk || error == http::error::bad_chunk_extension)
    return {400, "bad chunk"};
  if (error == http::error::bad_method) return {400, "bad method"};
  if (error == http::error::bad_target) return {400, "bad request target"};
  if (error == http::error::bad_field) return {400, "bad header name"};
  if (error == http::error::bad_value) return {400, "bad header value"};
  if (error == http::error::partial_message) return {400, "the message ended early"};
  return kBroken;
}

template <bool kIsRequest>
class Parser final : public Http1Parser, private http::basic_parser<kIsRequest> {
  using Base = http::basic_parser<kIsRequest>;

 public:
  Parser(size_t header_bytes, bool without_body) : header_limit_(header_bytes) {
    Base::header_limit(static_cast<std::uint32_t>(header_bytes));
    Base::body_limit(boost::none);
    Base::eager(true);
    if (without_body) Base::skip(true);
  }

  std::expected<size_t, Fault> feed(std::string_view bytes) override {
    if (bytes.empty() || done_) return 0;
    if (at_chunk_line() && bytes.size() < kShortestLastChunk) return 0;
    started_ = true;
    input_ = bytes;
    ErrorCode error;
    const size_t used = Base::put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    if (fault_) return std::unexpected(*fault_);
    if (error && error != http::error::need_more) return std::unexpected(fault_of(error));
    done_ = Base::is_done();
    const size_t left = bytes.size() - used;
    if (head_done_) {
      if (!done_ && head_.chunked && left > kChunkLineMaxBytes)
        return std::unexpected(Fault{400, "a chunk's line is too long"});
      return used;
    }
    head_bytes_ += used;
    if (!start_line_done_ && left > kTargetMaxBytes)
      return std::unexpected(Fault{414, "the request target is too long"});
    if (head_bytes_ + left > header_limit_) return std::unexpected(kTooLarge);
    return used;
  }

  std::expected<void, Fault> finish() override {
    if (done_) return {};
    if (!started_) return std::unexpected(Fault{400, "the connection was closed before a message"});
    ErrorCode error;
    Base::put_eof(error);
    if (error) return std::unexpected(fault_of(error));
    done_ = true;
    return {};
  }

 private:
  void refuse(Fault fault, ErrorCode& error) {
    fault_ = fault;
    error = http::error::bad_field;
  }

  void on_request_impl(http::verb, Text method, Text target, int version,
                       ErrorCode& error) override {
    start_line_done_ = true;
    head_.method = view(method);
    head_.target = view(target);
    head_.minor_version = version - 10;
    if (target.size() > kTargetMaxBytes) refuse({414, "the request target is too long"}, error);
  }

  void on_response_impl(int status, Text, int version, ErrorCode& error) override {
    start_line_done_ = true;
    head_.status = status;
    head_.minor_version = version - 10;
    if (status < 100 || status > 599) refuse({502, "bad status code"}, error);
  }

  void on_field_impl(http::field, Text raw_name, Text raw_value, ErrorCode& error) override {
    const std::string_view value = view(raw_value);
    if (is_folded(view(raw_name), value))
      return refuse({400, "folded header lines are obsolete"}, error);
    if (!is_field_value(value)) return refuse({400, "bad header value"}, error);
    Headers& into = head_done_ ? trailers_ : head_.headers;
    if (++fields_ > kFieldsMax) return refuse({431, "too many header fields"}, error);
    std::string name = lower(view(raw_name));
    if (!head_done_) check_framing(name, value, error);
    if (head_done_) count_trailer(raw_name.size() + raw_value.size(), error);
    if (!error) into.add(std::move(name), std::string(value));
  }

  // Beast joins a folded value in a buffer of its own, or skips the fold before the value: either
  // way more than blanks lie between the colon and the value.
  bool is_folded(std::string_view name, std::string_view value) const {
    if (value.empty()) return false;
    const char* const begin = name.data() + name.size() + 1;
    if (value.data() < begin || value.data() > input_.data() + input_.size()) return true;
    return !trimmed({begin, static_cast<size_t>(value.data() - begin)}).empty();
  }

  void count_trailer(size_t bytes, ErrorCode& error) {
    trailer_bytes_ += bytes;
    if (trailer_bytes_ > kChunkLineMaxBytes) refuse({431, "the trailers are too large"}, error);
  }

  void check_framing(std::string_view name, std::string_view value, ErrorCode& error) {
    if (name == "content-length") {
      if (head_.content_length || head_.chunked)
        return refuse({400, "more than one message length"}, error);
      head_.content_length = parse_decimal(value);
      if (!head_.content_length) refuse({400, "bad Content-Length"}, error);
    } else if (name == "transfer-encoding") {
      if (head_.content_length || head_.chunked)
        return refuse({400, "more than one message length"}, error);
      if (!equals_ignoring_case(value, "chunked"))
        return refuse({501, "only the transfer coding 'chunked' is known"}, error);
      if (head_.minor_version == 0) return refuse({400, "HTTP/1.0 has no transfer codings"}, error);
      head_.chunked = true;
    } else if (name == "host") {
      if (head_.headers.has("host")) return refuse({400, "more than one Host"}, error);
      if (kIsRequest && !is_host(value)) refuse({400, "bad Host"}, error);
    }
  }

  void on_header_impl(ErrorCode& error) override {
    head_done_ = true;
    head_.keep_alive = Base::keep_alive();
    if (!kIsRequest) return;
    if (head_.minor_version == 1 && !head_.headers.has("host"))
      refuse({400, "HTTP/1.1 needs a Host"}, error);
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}

  size_t on_body_impl(Text piece, ErrorCode&) override {
    body_.append(piece.data(), piece.size());
    return piece.size();
  }

  size_t on_chunk_body_impl(std::uint64_t, Text piece, ErrorCode&) override {
    chunk_left_ -= piece.size();
    body_.append(piece.data(), piece.size());
    return piece.size();
  }

  void on_chunk_header_impl(std::uint64_t size, Text extensions, ErrorCode& error) override {
    chunk_left_ = size;
    if (extensions.size() > kChunkLineMaxBytes) refuse({400, "a chunk's line is too long"}, error);
  }
  void on_finish_impl(ErrorCode&) override {}

  bool at_chunk_line() const { return head_done_ && head_.chunked && chunk_left_ == 0; }

  const size_t header_limit_;
  std::string_view input_;  // of the feed() that runs
  size_t head_bytes_ = 0;
  uint64_t chunk_left_ = 0;
  size_t trailer_bytes_ = 0;
  size_t fields_ = 0;
  bool start_line_done_ = false;
  std::optional<Fault> fault_;
};

}  // namespace

std::unique_ptr<Http1Parser> Http1Parser::make(Role role, size_t header_bytes) {
  if (role == Role::kRequest) return std::make_unique<Parser<true>>(header_bytes, false);
  return std::make_unique<Parser<false>>(header_bytes, role == Role::kResponseToHead);
}

}  // namespace atl::net

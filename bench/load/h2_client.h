#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

struct nghttp2_session;
struct ssl_st;
struct ssl_ctx_st;

// HTTP/2 for measuring: one thread, no coroutine and no parsing, so that the client's own work
// stays small beside the server's on the same two cores. Whatever goes wrong ends the program with
// a sentence. Windows are those of Go's client, which most of Kubernetes uses.
namespace bench {

using Clock = std::chrono::steady_clock;

struct Target {
  std::string address = "127.0.0.1";
  uint16_t port = 6443;
  std::string pem;  // file with the client's certificate and key; empty: none is shown
  bool tls = true;
};

// Who waits for one answer; outlives it.
class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual void on_status(int) {}
  virtual void on_data(std::string_view) {}
  virtual void on_end() {}
};

struct Request {
  std::string method = "GET";
  std::string path;
  std::string_view body = {};  // stays until the answer ended
  std::string content_type = "application/json";
  bool stays_open = false;  // the request's body goes on (gRPC streams)
};

class Connection {
 public:
  explicit Connection(const Target& target);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void send(const Request& request, Receiver& receiver);
  // Reads what has come and writes what is due; never blocks.
  void pump();
  int fd() const { return fd_; }
  bool wants_to_write() const { return !unsent_.empty(); }

 private:
  friend struct Callbacks;
  // The body of a request on its way out.
  struct Upload {
    std::string_view rest;
    bool stays_open = false;
  };
  void connect(const Target& target);
  void start_tls(const Target& target);
  void read();
  void write();
  // Bytes moved; 0: none for now.
  size_t read_some(char* into, size_t room);
  size_t write_some(const char* from, size_t size);

  int fd_ = -1;
  ssl_ctx_st* context_ = nullptr;
  ssl_st* ssl_ = nullptr;
  nghttp2_session* session_ = nullptr;
  std::string authority_;
  std::string unsent_;
  std::unordered_map<int32_t, Upload> uploads_;  // by stream
};

// Runs the connections until the condition holds; ends the program after `limit`.
void run_until(const std::vector<std::unique_ptr<Connection>>& connections,
               const std::function<bool()>& done, std::string_view what,
               std::chrono::seconds limit = std::chrono::seconds(120));

// One request, waited for. Ends the program where the status is not below 400.
std::string ask(const std::vector<std::unique_ptr<Connection>>& connections, size_t which,
                const Request& request);

[[noreturn]] void die(std::string_view text);
double milliseconds(Clock::duration duration);
// Of sorted samples.
double percentile(const std::vector<double>& sorted, double part);

}  // namespace bench

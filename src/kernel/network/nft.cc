#include "kernel/network/nft.h"

#include <fmt/format.h>
#include <nftables/libnftables.h>

namespace atl::network {
namespace {

nft_ctx* handle(void* context) {
  return static_cast<nft_ctx*>(context);
}

// libnftables explains with a copy of the command and a line of carets: the first line says it all.
std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

Result<std::unique_ptr<Nft>> Nft::open() {
  nft_ctx* context = nft_ctx_new(NFT_CTX_DEFAULT);
  if (context == nullptr) return Error(Code::kUnavailable, "nftables: no netlink socket");
  nft_ctx_buffer_output(context);
  nft_ctx_buffer_error(context);
  nft_ctx_output_set_flags(context, NFT_CTX_OUTPUT_NUMERIC_ALL);
  return std::unique_ptr<Nft>(new Nft(context));
}

Nft::~Nft() {
  nft_ctx_free(handle(context_));
}

Result<> Nft::run(const std::string& commands) {
  TRY(const std::string output, query(commands));
  (void)output;
  return Unit{};
}

Result<std::string> Nft::query(const std::string& command) {
  const int failed = nft_run_cmd_from_buffer(handle(context_), command.c_str());
  std::string output = nft_ctx_get_output_buffer(handle(context_));
  const std::string error = first_line(nft_ctx_get_error_buffer(handle(context_)));
  if (failed == 0) return output;
  if (error.find("Operation not permitted") != std::string::npos) {
    return Error(Code::kForbidden, "nftables: " + error);
  }
  if (error.find("No such file or directory") != std::string::npos) {
    return Error(Code::kNotFound, "nftables: " + error);
  }
  return Error(Code::kInvalid, "nftables: " + error);
}

Result<bool> Nft::has_table(const std::string& table) {
  // Only names are asked for: listing a table would print every element.
  TRY(const std::string tables, query("list tables inet"));
  return ("\n" + tables).find(fmt::format("\ntable inet {}\n", table)) != std::string::npos;
}

}  // namespace atl::network

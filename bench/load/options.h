#pragma once

#include <cstdlib>
#include <map>
#include <string>

#include "load/h2_client.h"

namespace bench {

// `--name value` pairs; ends the program with the usage on anything else.
class Options {
 public:
  Options(int argc, char** argv, std::map<std::string, std::string> defaults,
          std::string_view usage)
      : values_(std::move(defaults)) {
    for (int i = 1; i < argc; i += 2) {
      const std::string name = argv[i];
      const bool known = name.starts_with("--") && values_.contains(name.substr(2));
      if (!known || i + 1 == argc) die(usage);
      values_[name.substr(2)] = argv[i + 1];
    }
  }
  const std::string& text(const std::string& name) const { return values_.at(name); }
  size_t number(const std::string& name) const {
    return std::strtoull(text(name).c_str(), nullptr, 10);
  }
  Target target() const {
    Target out;
    out.port = static_cast<uint16_t>(number("port"));
    out.pem = text("pem");
    return out;
  }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace bench

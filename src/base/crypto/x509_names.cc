#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include "base/core/check.h"
#include "base/crypto/x509_impl.h"

namespace atl::crypto {
namespace {

Result<> add_entry(X509_NAME* subject, const char* field, const std::string& value) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(value.data());
  if (X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8, bytes,
                                 static_cast<int>(value.size()), -1, 0) != 1) {
    return openssl_error(
        Code::kInvalid,
        std::string(field) + " of the subject must have 1 to 64 characters: " + value);
  }
  return Unit{};
}

std::string text_of(const ASN1_STRING* value) {
  uint8_t* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, value);
  if (size < 0) {
    ERR_clear_error();
    return {};
  }
  std::string out(reinterpret_cast<char*>(utf8), static_cast<size_t>(size));
  OPENSSL_free(utf8);
  return out;
}

std::vector<std::string> entries(const X509_NAME* subject, int nid) {
  std::vector<std::string> out;
  for (int at = X509_NAME_get_index_by_NID(subject, nid, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(subject, nid, at)) {
    out.push_back(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
  }
  return out;
}

std::string address_text(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN] = {};
  const int size = ASN1_STRING_length(address);
  if (size != 4 && size != 16) return {};
  inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text, sizeof text);
  return text;
}

// The ia5 and octet strings are made here, never from a configuration text that a name could leave.
Result<GENERAL_NAME*> dns_name(const std::string& name) {
  if (name.empty() || name.size() > 253 ||
      name.find_first_of(std::string_view(" ,;\0", 4)) != std::string::npos) {
    return Error(Code::kInvalid, "not a DNS name: \"" + name + "\"");
  }
  ASN1_IA5STRING* text = ASN1_IA5STRING_new();
  GENERAL_NAME* out = GENERAL_NAME_new();
  CHECK(text != nullptr && out != nullptr);
  ASN1_STRING_set(text, name.data(), static_cast<int>(name.size()));
  GENERAL_NAME_set0_value(out, GEN_DNS, text);
  return out;
}

Result<GENERAL_NAME*> ip_name(const std::string& address) {
  ASN1_OCTET_STRING* bytes = a2i_IPADDRESS(address.c_str());
  if (bytes == nullptr)
    return openssl_error(Code::kInvalid, "not an IP address: \"" + address + "\"");
  GENERAL_NAME* out = GENERAL_NAME_new();
  CHECK(out != nullptr);
  GENERAL_NAME_set0_value(out, GEN_IPADD, bytes);
  return out;
}

}  // namespace

Result<> set_subject(X509_NAME* subject, const Names& names) {
  for (const std::string& organization : names.organizations)
    TRY_OK(add_entry(subject, "O", organization));
  return add_entry(subject, "CN", names.common_name);
}

Result<X509_EXTENSION*> alternative_names(const Names& names) {
  if (names.dns_names.empty() && names.ip_addresses.empty())
    return static_cast<X509_EXTENSION*>(nullptr);
  const std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>> list(sk_GENERAL_NAME_new_null());
  for (const std::string& name : names.dns_names) {
    TRY(GENERAL_NAME * entry, dns_name(name));
    sk_GENERAL_NAME_push(list.get(), entry);
  }
  for (const std::string& address : names.ip_addresses) {
    TRY(GENERAL_NAME * entry, ip_name(address));
    sk_GENERAL_NAME_push(list.get(), entry);
  }
  X509_EXTENSION* extension = X509V3_EXT_i2d(NID_subject_alt_name, 0, list.get());
  CHECK(extension != nullptr);
  return extension;
}

Names names_of(const X509_NAME* subject, const STACK_OF(GENERAL_NAME) * alternatives) {
  Names out;
  const std::vector<std::string> common = entries(subject, NID_commonName);
  if (!common.empty()) out.common_name = common.front();
  out.organizations = entries(subject, NID_organizationName);
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type == GEN_DNS) out.dns_names.push_back(text_of(name->d.dNSName));
    if (name->type == GEN_IPADD) out.ip_addresses.push_back(address_text(name->d.iPAddress));
  }
  return out;
}

}  // namespace atl::crypto

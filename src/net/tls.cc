#include "net/tls.h"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

namespace hf::net {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

constexpr std::size_t kFileMax = 1024 * 1024;

Result<std::string> read_file(const std::string& path, std::string_view what) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text(kFileMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.eof() && !file) {
    return fail(Code::kInvalidInput, fmt::format("The {} {} cannot be read: {}.", what, path,
                                                 std::strerror(errno != 0 ? errno : EIO)));
  }
  if (!file.eof()) {
    return fail(Code::kInvalidInput, fmt::format("The {} {} is larger than 1 MiB.", what, path));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

// Of what clients offer, HTTP/1.1 and nothing else.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  constexpr std::string_view kOurs = "http/1.1";
  const std::string_view list(reinterpret_cast<const char*>(offered), offered_size);
  for (std::size_t at = 0; at < list.size();) {
    const auto length = static_cast<std::size_t>(offered[at]);
    if (list.substr(at + 1, length) == kOurs) {
      *chosen = offered + at + 1;
      *size = static_cast<unsigned char>(kOurs.size());
      return SSL_TLSEXT_ERR_OK;
    }
    at += 1 + length;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

Result<std::shared_ptr<ssl::context>> make_tls(const ServerTls& files) {
  HF_TRY(const std::string certificate, read_file(files.certificate_file, "certificate file"));
  HF_TRY(const std::string key, read_file(files.key_file, "key file"));
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX* const native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // Idle connections hold none.
  SSL_CTX_set_alpn_select_cb(native, choose_protocol, nullptr);
  // Without it OpenSSL would ask at the terminal for the password of an encrypted key.
  SSL_CTX_set_default_passwd_cb(native, [](char*, int, int, void*) { return 0; });
  error_code error;
  context->use_certificate_chain(boost::asio::buffer(certificate), error);
  if (error) {
    return fail(Code::kInvalidInput,
                fmt::format("The certificate file {} holds no certificate chain in PEM form: {}.",
                            files.certificate_file, error.message()));
  }
  context->use_private_key(boost::asio::buffer(key), ssl::context::pem, error);
  if (!error && SSL_CTX_check_private_key(native) == 1) return context;
  const bool is_other =
      error.category() == boost::asio::error::get_ssl_category() &&
      ERR_GET_REASON(static_cast<unsigned long>(error.value())) == X509_R_KEY_VALUES_MISMATCH;
  if (!error || is_other) {
    return fail(Code::kInvalidInput,
                fmt::format("The key in {} is not that of the certificate in {}.", files.key_file,
                            files.certificate_file));
  }
  return fail(Code::kInvalidInput,
              fmt::format("The key file {} holds no private key in PEM form without a password: "
                          "{}.",
                          files.key_file, error.message()));
}

}  // namespace hf::net

// Certificates made on the spot, and a blocking TLS client that shows what a library would hide.
#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "net/http_server.h"
#include "raw.h"

namespace hf::net {

// A certificate for 127.0.0.1 that signs itself, and its key, in files of a directory.
inline ServerTls make_certificate(const std::filesystem::path& directory, const std::string& name,
                                  const char* password = nullptr) {
  const ServerTls files{.certificate_file = directory / (name + ".crt"),
                        .key_file = directory / (name + ".key")};
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const made = X509_new();
  X509_set_version(made, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
  X509_gmtime_adj(X509_getm_notBefore(made), -60);
  X509_gmtime_adj(X509_getm_notAfter(made), 3600);
  X509_set_pubkey(made, key);
  X509_NAME* const subject = X509_get_subject_name(made);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(made, subject);
  X509_EXTENSION* const host =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
  X509_add_ext(made, host, -1);
  X509_EXTENSION_free(host);
  X509_sign(made, key, EVP_sha256());
  std::FILE* file = std::fopen(files.certificate_file.c_str(), "w");
  PEM_write_X509(file, made);
  std::fclose(file);
  file = std::fopen(files.key_file.c_str(), "w");
  PEM_write_PrivateKey(file, key, password == nullptr ? nullptr : EVP_aes_256_cbc(), nullptr, 0,
                       nullptr, const_cast<char*>(password));
  std::fclose(file);
  X509_free(made);
  EVP_PKEY_free(key);
  return files;
}

struct TlsWish {
  int version_max = TLS1_3_VERSION;
  std::string protocols = {};  // Offered by ALPN, each behind its length.
};

class TlsSocket {
 public:
  explicit TlsSocket(const std::string& address, const TlsWish& wish = {})
      : socket_(RawSocket::connect(address)), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_security_level(context_.get(), 0);  // The client would take anything.
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_.get(), wish.version_max);
    ssl_.reset(SSL_new(context_.get()));
    if (!wish.protocols.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(wish.protocols.data()),
                          static_cast<unsigned>(wish.protocols.size()));
    }
    SSL_set_fd(ssl_.get(), socket_.fd());
    is_up_ = SSL_connect(ssl_.get()) == 1;
  }

  [[nodiscard]] bool is_up() const { return is_up_; }
  [[nodiscard]] std::string version() const { return SSL_get_version(ssl_.get()); }
  [[nodiscard]] std::string protocol() const {
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &chosen, &size);
    return {reinterpret_cast<const char*>(chosen), size};
  }
  // Who the server says it is.
  [[nodiscard]] std::string peer() const {
    X509* const shown = SSL_get1_peer_certificate(ssl_.get());
    char name[64] = "";
    if (shown != nullptr) {
      X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, name, sizeof name);
    }
    X509_free(shown);
    return name;
  }

  void send(std::string_view bytes) {
    if (SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0) ERR_clear_error();
  }
  // Reads until `mark` has come or the other side has ended.
  std::string read_until(std::string_view mark) {
    std::string text;
    char chunk[4096];
    while (text.find(mark) == std::string::npos) {
      const int count = SSL_read(ssl_.get(), chunk, sizeof chunk);
      if (count <= 0) {
        was_ended_ = SSL_get_error(ssl_.get(), count) == SSL_ERROR_ZERO_RETURN;
        ERR_clear_error();
        break;
      }
      text.append(chunk, static_cast<std::size_t>(count));
    }
    return text;
  }
  std::string read_all() { return read_until("\xFF\xFE\xFF impossible"); }
  // Whether the server has said that nothing more follows: a cut would look different.
  [[nodiscard]] bool was_ended() const { return was_ended_; }

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  RawSocket socket_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  bool is_up_ = false;
  bool was_ended_ = false;
};

}  // namespace hf::net

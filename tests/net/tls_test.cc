// Goal: over TLS the server is the same server; certificates are read, replaced and refused in
// words; clients that do not speak TLS cost little.
// Method: certificates made in a fresh directory, OpenSSL as the client, and our own client.
#include "tls.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <future>
#include <vector>

#include "net/http_client.h"

namespace hf::net {
namespace {

using namespace std::chrono_literals;
using Answer = std::shared_ptr<Responder>;

void say_again(const Request& request, const Answer& answer) {
  answer->send(200, "text/plain", request.path + " " + std::to_string(request.body.size()));
}

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    std::string made = (std::filesystem::temp_directory_path() / "hf-tls-XXXXXX").string();
    directory_ = ::mkdtemp(made.data());
    files_ = make_certificate(directory_, "first");
  }
  ~TlsTest() override { std::filesystem::remove_all(directory_); }

  void serve(Handler handler, ServerLimits limits = {}) {
    auto made = HttpServer::listen(loop_, "127.0.0.1:0", std::move(handler), limits, files_);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    server_ = *std::move(made);
  }
  std::string refusal(const ServerTls& files) {
    const auto made = HttpServer::listen(loop_, "127.0.0.1:0", say_again, {}, files);
    return made ? "was accepted" : made.error().message;
  }
  void replace(const std::string& file, const std::string& by) {
    std::filesystem::copy_file(by, file, std::filesystem::copy_options::overwrite_existing);
  }

  EventLoop loop_;
  std::filesystem::path directory_;
  ServerTls files_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(TlsTest, RequestsAndPipelinedOnesAreAnswered) {
  serve(say_again);
  drive(loop_, [&] {
    TlsSocket client(server_->address());
    ASSERT_TRUE(client.is_up());
    EXPECT_EQ(client.version(), "TLSv1.3");
    client.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(client.read_until("/2 0").find("/1 0"), std::string::npos);
    client.send("POST /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" +
                std::string(200'000, 'b'));
    EXPECT_TRUE(client.read_until("/3 200000").ends_with("/3 200000"));
  });
}

TEST_F(TlsTest, OurOwnClientVerifiesTheCertificate) {
  serve(say_again);
  const auto ask = [this] {
    const auto client = HttpClient::create(loop_);
    CallResult result;
    std::string body;
    client->start({.method = "GET", .url = "https://" + server_->address() + "/p"},
                  {.on_bytes = [&](int, std::string_view bytes) { body += bytes; },
                   .on_done =
                       [&](const CallResult& done) {
                         result = done;
                         loop_.stop();
                       }});
    loop_.run();
    return result.error == CallError::kNone ? body : "refused";
  };
  ::setenv("SSL_CERT_FILE", files_.certificate_file.c_str(), 1);
  EXPECT_EQ(ask(), "/p 0");
  const ServerTls other = make_certificate(directory_, "other");
  ::setenv("SSL_CERT_FILE", other.certificate_file.c_str(), 1);
  EXPECT_EQ(ask(), "refused");
  ::unsetenv("SSL_CERT_FILE");
}

TEST_F(TlsTest, OldVersionsAndOtherProtocolsAreRefused) {
  serve(say_again);
  drive(loop_, [&] {
    EXPECT_FALSE(TlsSocket(server_->address(), {.version_max = TLS1_1_VERSION}).is_up());
    EXPECT_TRUE(TlsSocket(server_->address(), {.version_max = TLS1_2_VERSION}).is_up());
    TlsSocket both(server_->address(), {.protocols = "\x02h2\x08http/1.1"});
    EXPECT_TRUE(both.is_up());
    EXPECT_EQ(both.protocol(), "http/1.1");
    EXPECT_FALSE(TlsSocket(server_->address(), {.protocols = "\x02h2"}).is_up());
  });
}

TEST_F(TlsTest, PlainClientIsClosedWithoutAnAnswer) {
  serve(say_again);
  drive(loop_, [&] {
    RawSocket client = RawSocket::connect(server_->address());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.read_all().find("HTTP"), std::string::npos);
    char byte = 0;
    EXPECT_EQ(::recv(client.fd(), &byte, 1, 0), 0);  // An end, not a reset.
  });
}

TEST_F(TlsTest, HandshakeIsBoundedInTime) {
  serve(say_again, {.header_time = 30ms});
  drive(loop_, [&] {
    RawSocket silent = RawSocket::connect(server_->address());
    EXPECT_TRUE(silent.is_closed());
    RawSocket begun = RawSocket::connect(server_->address());
    begun.send(std::string_view("\x16\x03\x01\x02\x00", 5));
    EXPECT_TRUE(begun.is_closed());
  });
}

TEST_F(TlsTest, LargeAnswerArrivesWholeAndItsEndIsSaid) {
  const std::string body(6 * 1024 * 1024, 'y');
  serve(
      [&](const Request&, const Answer& answer) {
        answer->begin(200, "");
        answer->write(body.substr(0, 3'000'000));
        answer->write(body.substr(3'000'000));
        answer->end();
      },
      {.buffered_bytes = 16 * 1024 * 1024});
  drive(loop_, [&] {
    TlsSocket client(server_->address());
    client.send("GET / HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(client.read_all().ends_with("\r\n\r\n" + body));
    EXPECT_TRUE(client.was_ended());
  });
}

TEST_F(TlsTest, RefusalReachesAClientThatIsStillSending) {
  serve(say_again, {.body_bytes = 100});
  drive(loop_, [&] {
    TlsSocket client(server_->address());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" +
                std::string(3'000'000, 'b'));
    EXPECT_TRUE(client.read_all().starts_with("HTTP/1.1 413 "));
    EXPECT_TRUE(client.was_ended());
  });
}

TEST_F(TlsTest, ConnectionsOverTheLimitAreTold) {
  serve(say_again, {.connections = 1});
  drive(loop_, [&] {
    TlsSocket first(server_->address());
    first.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    first.read_until("/1 0");
    TlsSocket second(server_->address());
    const std::string text = second.read_all();
    EXPECT_TRUE(text.starts_with("HTTP/1.1 503 ")) << text;
    EXPECT_NE(text.find("\r\nRetry-After: 1\r\n"), std::string::npos) << text;
  });
}

TEST_F(TlsTest, ClientThatLeavesIsNoticed) {
  serve([&](const Request&, const Answer& answer) {
    answer->begin(200, "");
    answer->write("part");
    answer->on_close([&, answer] { loop_.stop(); });
  });
  std::thread client([&] {
    TlsSocket socket(server_->address());
    socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    socket.read_until("part");
  });
  loop_.run();
  client.join();
}

TEST_F(TlsTest, ServerMayGoAtAnyMomentOfAConnection) {
  serve([&](const Request&, const Answer& answer) {
    answer->begin(200, "");
    loop_.post([this] { server_.reset(); });
  });
  drive(loop_, [&] {
    RawSocket silent = RawSocket::connect(server_->address());
    TlsSocket idle(server_->address());
    TlsSocket asking(server_->address());
    asking.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    asking.read_all();
    EXPECT_EQ(idle.read_all(), "");
    EXPECT_EQ(silent.read_all(), "");
  });
}

TEST_F(TlsTest, ReloadedCertificateIsThatOfNewConnections) {
  serve(say_again);
  const ServerTls next = make_certificate(directory_, "second");
  drive(loop_, [&] {
    TlsSocket before(server_->address());
    EXPECT_EQ(before.peer(), "first");
    std::promise<std::vector<std::string>> told;
    loop_.post([&] {
      std::vector<std::string> errors;
      const auto reload = [&] {
        const auto done = server_->reload_tls(files_);
        errors.push_back(done ? "" : done.error().message);
      };
      replace(files_.certificate_file, next.certificate_file);
      reload();  // The key is still the old one.
      replace(files_.key_file, next.key_file);
      reload();
      std::ofstream(files_.certificate_file) << "nothing";
      reload();
      told.set_value(errors);
    });
    const auto errors = told.get_future().get();
    EXPECT_NE(errors[0].find("is not that of the certificate"), std::string::npos) << errors[0];
    EXPECT_EQ(errors[1], "");
    EXPECT_NE(errors[2].find("no certificate"), std::string::npos) << errors[2];
    EXPECT_EQ(TlsSocket(server_->address()).peer(), "second");
    before.send("GET /still HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(before.read_until("/still 0").ends_with("/still 0"));
  });
}

TEST_F(TlsTest, PlainServerHasNothingToReload) {
  const auto plain = HttpServer::listen(loop_, "127.0.0.1:0", say_again);
  ASSERT_TRUE(plain.has_value());
  const auto done = (*plain)->reload_tls(make_certificate(directory_, "any"));
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, Code::kInvalidInput);
}

TEST_F(TlsTest, UnusableFilesAreRefusedByNameAndWithoutTheirContent) {
  const ServerTls other = make_certificate(directory_, "other");
  const ServerTls locked = make_certificate(directory_, "locked", "password");
  const std::string junk = directory_ / "junk";
  std::ofstream(junk) << "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n";
  const std::string big = directory_ / "big";
  std::ofstream(big) << std::string(2 * 1024 * 1024, 'x');
  struct Case {
    ServerTls files;
    std::string file;
    std::string words;
  };
  const std::string absent = directory_ / "absent";
  const std::vector<Case> cases = {
      {{absent, files_.key_file}, absent, "certificate file"},
      {{files_.certificate_file, absent}, absent, "key file"},
      {{directory_, files_.key_file}, directory_, "cannot be read"},
      {{big, files_.key_file}, big, "larger than 1 MiB"},
      {{junk, files_.key_file}, junk, "no certificate chain"},
      {{files_.certificate_file, junk}, junk, "no private key"},
      {{files_.certificate_file, files_.certificate_file}, files_.certificate_file, "no private"},
      {{files_.certificate_file, locked.key_file}, locked.key_file, "without a password"},
      {{files_.certificate_file, other.key_file}, other.key_file, "is not that of"},
  };
  for (const Case& one : cases) {
    const std::string said = refusal(one.files);
    EXPECT_NE(said.find(one.file), std::string::npos) << said;
    EXPECT_NE(said.find(one.words), std::string::npos) << said;
    EXPECT_EQ(said.find("secret"), std::string::npos) << said;
    EXPECT_TRUE(said.ends_with(".")) << said;
  }
}

}  // namespace
}  // namespace hf::net

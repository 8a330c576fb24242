// Goal: addresses are understood or refused in words; socket files are made, kept and removed
// safely. Method: real sockets in a fresh directory of the test's own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "net/http_server.h"
#include "raw.h"

namespace hf::net {
namespace {

void hello(const Request&, const std::shared_ptr<Responder>& answer) {
  answer->send(200, "text/plain", "hello");
}

class AddressTest : public testing::Test {
 protected:
  AddressTest() {
    std::string made = (std::filesystem::temp_directory_path() / "hf-net-XXXXXX").string();
    directory_ = ::mkdtemp(made.data());
    path_ = directory_ / "s.sock";
    address_ = "unix:" + path_.string();
  }
  ~AddressTest() override { std::filesystem::remove_all(directory_); }

  std::string refusal(const std::string& address, Code code) {
    const auto made = HttpServer::listen(loop_, address, hello);
    if (made) return "was accepted";
    EXPECT_EQ(made.error().code, code) << address;
    return made.error().message;
  }
  bool answers(const std::string& address) {
    std::string text;
    drive(loop_, [&] {
      RawSocket client = RawSocket::connect(address);
      client.send("GET / HTTP/1.0\r\n\r\n");
      text = client.read_all();
    });
    return text.ends_with("hello");
  }

  EventLoop loop_;
  std::filesystem::path directory_;
  std::filesystem::path path_;
  std::string address_;
};

TEST_F(AddressTest, FreePortIsNamed) {
  const auto server = HttpServer::listen(loop_, "127.0.0.1:0", hello);
  ASSERT_TRUE(server.has_value());
  EXPECT_TRUE((*server)->address().starts_with("127.0.0.1:"));
  EXPECT_NE((*server)->address(), "127.0.0.1:0");
  EXPECT_TRUE(answers((*server)->address()));
}

TEST_F(AddressTest, NamesAreResolved) {
  const auto server = HttpServer::listen(loop_, "localhost:0", hello);
  ASSERT_TRUE(server.has_value()) << server.error().message;
}

TEST_F(AddressTest, PortInUseIsAnErrorThatNamesTheAddress) {
  const auto server = HttpServer::listen(loop_, "127.0.0.1:0", hello);
  ASSERT_TRUE(server.has_value());
  EXPECT_NE(refusal((*server)->address(), Code::kUnavailable).find((*server)->address()),
            std::string::npos);
}

TEST_F(AddressTest, PortIsFreeAgainAfterTheServer) {
  auto server = HttpServer::listen(loop_, "127.0.0.1:0", hello);
  ASSERT_TRUE(server.has_value());
  const std::string address = (*server)->address();
  EXPECT_TRUE(answers(address));
  server->reset();
  EXPECT_TRUE(HttpServer::listen(loop_, address, hello).has_value());
}

TEST_F(AddressTest, UnreadableAddressesAreRefused) {
  for (const char* address : {"", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
                              "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80 ", "::1:80"}) {
    EXPECT_NE(refusal(address, Code::kInvalidInput).find("HOST:PORT"), std::string::npos)
        << address;
  }
}

TEST_F(AddressTest, SocketFileIsPrivateAndRemovedAtTheEnd) {
  {
    const auto server = HttpServer::listen(loop_, address_, hello);
    ASSERT_TRUE(server.has_value()) << server.error().message;
    EXPECT_EQ((*server)->address(), address_);
    struct stat found{};
    ASSERT_EQ(::stat(path_.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777U, 0600U);
    EXPECT_TRUE(answers(address_));
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(AddressTest, LiveSocketIsNotTakenOver) {
  const auto server = HttpServer::listen(loop_, address_, hello);
  ASSERT_TRUE(server.has_value());
  EXPECT_NE(refusal(address_, Code::kUnavailable).find(path_.string()), std::string::npos);
  EXPECT_TRUE(answers(address_));
}

TEST_F(AddressTest, StaleSocketIsReplaced) {
  sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
  std::strncpy(name.sun_path, path_.c_str(), sizeof name.sun_path - 1);
  {
    const RawSocket dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(::bind(dead.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  const auto server = HttpServer::listen(loop_, address_, hello);
  ASSERT_TRUE(server.has_value()) << server.error().message;
  EXPECT_TRUE(answers(address_));
}

TEST_F(AddressTest, OrdinaryFileIsNotTouched) {
  std::ofstream(path_) << "precious";
  EXPECT_NE(refusal(address_, Code::kInvalidInput).find("not a socket"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

TEST_F(AddressTest, FileThatReplacedTheSocketIsNotRemoved) {
  auto server = HttpServer::listen(loop_, address_, hello);
  ASSERT_TRUE(server.has_value());
  std::filesystem::remove(path_);
  std::ofstream(path_) << "another's";
  server->reset();
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(AddressTest, ImpossibleSocketPathsAreRefused) {
  EXPECT_NE(refusal("unix:", Code::kInvalidInput).find("1 to 107 bytes"), std::string::npos);
  EXPECT_NE(refusal("unix:/tmp/" + std::string(200, 'p'), Code::kInvalidInput).find("1 to 107"),
            std::string::npos);
  EXPECT_NE(refusal(std::string("unix:/tmp/a\0b", 13), Code::kInvalidInput).find("NUL"),
            std::string::npos);
  EXPECT_NE(refusal("unix:" + (directory_ / "none" / "s").string(), Code::kUnavailable)
                .find("No such file"),
            std::string::npos);
}

}  // namespace
}  // namespace hf::net

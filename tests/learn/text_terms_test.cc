// Goal: texts become the terms that the header promises, whatever their bytes, without allocating.
// Method: properties over random bytes; small texts whose terms can be told apart.
#include "learn/text_terms.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace hf::learn {
namespace {

std::vector<Term> read(std::string_view text, std::string_view category = "") {
  TextTerms reader;
  const std::span<const Term> terms = reader.read(text, category);
  return {terms.begin(), terms.end()};
}

double square(std::span<const Term> terms, std::uint32_t from, std::uint32_t to) {
  double sum = 0;
  for (const Term& term : terms) {
    if (term.index >= from && term.index < to) sum += double{term.weight} * double{term.weight};
  }
  return sum;
}

// The number of terms among words and pairs of words.
std::size_t words(std::string_view text) {
  std::size_t count = 0;
  for (const Term& term : read(text)) count += term.index < kWordTerms ? 1 : 0;
  return count;
}

RC_GTEST_PROP(TextTerms, AnyBytesGiveSortedTermsOfLengthOne, (std::string text)) {
  TextTerms reader;
  const std::span<const Term> terms = reader.read(text, "any");
  for (std::size_t i = 1; i < terms.size(); ++i) {
    RC_ASSERT(terms[i - 1].index < terms[i].index);
  }
  RC_ASSERT(!terms.empty() && terms.back().index >= kWordTerms + kPieceTerms);
  RC_ASSERT(terms.back().index < kTextTerms);
  for (const double length :
       {square(terms, 0, kWordTerms), square(terms, kWordTerms, kWordTerms + kPieceTerms)}) {
    RC_ASSERT(length == 0 || std::abs(length - 1) < 1e-5);
  }
}

RC_GTEST_PROP(TextTerms, AReaderRemembersNothing, (std::string first, std::string second)) {
  TextTerms reader;
  reader.read(first, "category");
  const std::span<const Term> terms = reader.read(second, "");
  RC_ASSERT(std::vector<Term>(terms.begin(), terms.end()) == read(second));
}

TEST(TextTerms, NothingIsNothing) {
  EXPECT_TRUE(read("").empty());
  EXPECT_TRUE(read(" \n\t ").empty());
}

TEST(TextTerms, CaseDoesNotMatterAndOrderDoes) {
  EXPECT_EQ(read("The Cat"), read("the cat"));
  EXPECT_NE(read("the cat"), read("cat the"));
  EXPECT_EQ(words("the cat"), 3U);  // Two words and the pair.
}

TEST(TextTerms, DigitsTellOnlyTheirNumber) {
  EXPECT_EQ(read("in 1984"), read("in 2001"));
  EXPECT_NE(read("in 1984"), read("in 20"));
  EXPECT_EQ(read("123456"), read("1234567890"));
}

TEST(TextTerms, MarksStandAlone) {
  EXPECT_EQ(words("=="), 2U);  // The mark and the pair of it with itself.
  EXPECT_NE(read("is it?"), read("is it"));
}

TEST(TextTerms, PiecesHaveThreeAndFourCharacters) {
  // ^ca cat at$ ^cat cat$ between the two ends.
  std::size_t pieces = 0;
  for (const Term& term : read("cat")) pieces += term.index >= kWordTerms ? 1 : 0;
  EXPECT_EQ(pieces, 5U);
  // A character of several bytes is one character.
  pieces = 0;
  for (const Term& term : read("z\xC3\xBC\xE4\xB8\xAD")) pieces += term.index >= kWordTerms ? 1 : 0;
  EXPECT_EQ(pieces, 5U);
}

TEST(TextTerms, RelatedWordsShareTerms) {
  const std::vector<Term> one = read("photosynthesis");
  const std::vector<Term> other = read("photosynthetic");
  double product = 0;
  for (const Term& a : one) {
    for (const Term& b : other) product += a.index == b.index ? double{a.weight * b.weight} : 0;
  }
  EXPECT_GT(product, 0.7);
}

TEST(TextTerms, ACategoryIsOneStrongTerm) {
  const std::vector<Term> plain = read("a text");
  std::vector<Term> with = read("a text", "law");
  ASSERT_EQ(with.size(), plain.size() + 1);
  EXPECT_EQ(with.back().weight, kCategoryWeight);
  with.pop_back();
  EXPECT_EQ(with, plain);
  EXPECT_NE(read("", "law")[0].index, read("", "physics")[0].index);
}

TEST(TextTerms, WhatComesAfterTheCapDoesNotCount) {
  std::string text;
  while (text.size() < kTextBytesMax) text += "word ";
  text.resize(kTextBytesMax);
  EXPECT_EQ(read(text + " and more"), read(text));
  // The cap does not fall inside a character.
  std::string cut = text.substr(0, kTextBytesMax - 1);
  EXPECT_EQ(read(cut + "\xC3\xBC"), read(cut));
}

}  // namespace
}  // namespace hf::learn

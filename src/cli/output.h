// Text on its way out of the program. A terminal gets no control characters, because models and
// services wrote much of the text and must not steer it; pipes and files get every byte.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

#include "wire/json.h"

namespace hf::cli {

// The text as well-formed UTF-8 without control characters (C0, DEL, C1) but newline and tab.
std::string printable(std::string_view text);

[[nodiscard]] bool is_terminal(std::FILE* file);

// Writes the text: to a terminal only what is printable, elsewhere as it is. Never throws; what got
// lost on standard output is told by finish_output.
void show(std::FILE* file, std::string_view text);

// Writes a JSON document for programs, indented, to standard output.
void print_json(const wire::json::value& document);

// Makes sure that everything printed on standard output has arrived. Returns `exit_code`, or 1
// after one sentence if something was lost.
int finish_output(int exit_code);

// Number of columns that a terminal shows the text in, rather too many than too few.
std::size_t columns(std::string_view text);

// The text on one line in exactly `width` columns, cut or padded.
std::string fit(std::string_view text, std::size_t width);

struct Screen {
  std::size_t width = 100;
  std::size_t height = 40;
};

// The size of the terminal behind standard error, now.
[[nodiscard]] Screen screen_size();

}  // namespace hf::cli

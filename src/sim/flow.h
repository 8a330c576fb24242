// Reads a flow: one page of text that describes a small world, and the trace expected of it.
//
//   # What it shows.
//   endpoint edge tier=edge slots=1 first=10ms token=1ms
//   endpoint cloud tier=cloud slots=4 first=20ms token=1ms price=2/0.5/8
//   options policy=edge attempts=2 base=100ms cap=1s
//   ledger usd=0.01 tokens=4096 write=5ms
//   death after=50ms commands=2 down=10ms reconcile=20ms written
//   query 1 at=0ms deadline=1s usd=0.01 tokens=4096 question=100 cancel=50ms mode=plan
//   plan 1 end=100ms call_end=100ms outcome=complete sink=b pruned=x,y
//   step 1 a at=20ms role=explain expected=20 bytes=40 difficulty=3
//   step 1 b at=40ms role=generate rely=a
//   call endpoint=edge job=a nth=1 fail=server after=5ms retry_after=1s unbilled
//   ---
//   0 query 1
//   ...
//
// `plan` opens the next plan of a query, `step` adds to it. Every key may be left out. A mistake is
// an error that names the line.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "sim/world.h"

namespace hf::sim {

struct Flow {
  WorldSpec world;
  std::string input;     // Everything up to and including the line "---".
  std::string expected;  // Everything after it.
};

[[nodiscard]] Result<Flow> parse_flow(std::string_view text);

}  // namespace hf::sim

// Names of things as small numbers, each its own type.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hf {

enum class QueryId : std::uint64_t {};  // One request of a user; unique within a process.
enum class CallId : std::uint64_t {};   // One call to one endpoint; unique within a process.
enum class ReservationId : std::uint64_t {};
enum class ScopeId : std::uint32_t {};     // A budget scope in the ledger.
enum class AccountId : std::uint32_t {};   // A budget that queries share; 0: the process's.
enum class SubtaskId : std::uint32_t {};   // Index of a node in its query's graph.
enum class EndpointId : std::uint32_t {};  // Index in the configured list of endpoints.

template <class Id>
constexpr std::size_t index_of(Id id) {
  return static_cast<std::size_t>(id);
}

}  // namespace hf

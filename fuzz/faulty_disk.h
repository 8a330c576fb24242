// A disk below SQLite that stops taking writes when it is told to, and that forgets at a power cut
// what was written to it and not synced. For fuzz targets that use a ledger file.
//
// Thread safety: full, but for cut_power.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hf::faulty_disk {

// SQLite uses it for every file that is opened from now on.
void install();

// Takes so many more writes; after that it fails every write, sync, truncation and deletion.
void fail_after(std::int64_t writes);

// Takes every write again.
void mend();

// Undoes what was written to each file since its last sync, but for the first `keep` writes.
// REQUIRES: no file is open.
void cut_power(std::size_t keep);

// Takes what is in the files now for synced.
void forget();

}  // namespace hf::faulty_disk

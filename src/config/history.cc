#include "config/history.h"

#include "config/table.h"

namespace hf {

Result<HistoryConfig> read_history(const Table& root) {
  HistoryConfig history;
  HF_TRY(const auto table, root.table("history"));
  if (!table) return history;
  HF_CHECK(table->allow({"enabled", "texts", "keep"}));
  HF_TRY(const auto enabled, table->flag("enabled"));
  HF_TRY(const auto texts, table->flag("texts"));
  HF_TRY(const auto keep, table->duration("keep"));
  history.enabled = enabled.value_or(history.enabled);
  history.texts = texts.value_or(history.texts);
  history.keep = keep.value_or(history.keep);
  if (history.keep <= Duration{}) return table->bad("keep", "longer than zero");
  return history;
}

}  // namespace hf

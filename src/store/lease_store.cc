#include "store/lease_store.h"

#include <fmt/format.h>

#include <utility>

#include "store/schema.h"

namespace hf::store {

Result<std::unique_ptr<LeaseStore>> LeaseStore::open(Options options) {
  std::optional<Owner> owner = std::move(options.owner);
  if (!owner) {
    HF_TRY(owner, current_owner());
  }
  HF_TRY(Database database, open_ledger(options.path));
  LedgerFile file(std::move(database), {.clock = std::move(options.clock)});
  std::unique_ptr<LeaseStore> store(new LeaseStore(*std::move(owner), std::move(file)));
  HF_TRY(store->journal_,
         Journal::create([raw = store.get()](const Batch& batch) { return raw->write(batch); }));
  return store;
}

Result<void> LeaseStore::define(const ScopeSpec& spec) {
  const std::scoped_lock lock(mutex_);
  return file_.define(spec);
}

Result<Taken> LeaseStore::take(std::string_view scope, const Amounts& wanted,
                               const Amounts& least) {
  HF_CHECK(journal_->healthy());
  const std::scoped_lock lock(mutex_);
  return granted(file_.take(owner_, scope, wanted, least));
}

Result<Taken> LeaseStore::extend(LeaseId id, const Amounts& wanted, const Amounts& least) {
  HF_CHECK(journal_->healthy());
  if (!journal_->is_open(id)) {
    return fail(Code::kInvalidInput, fmt::format("lease {} is not open in this process; take one",
                                                 std::to_underlying(id)));
  }
  const std::scoped_lock lock(mutex_);
  return granted(file_.extend(id, wanted, least));
}

Result<Taken> LeaseStore::granted(Result<Taken> taken) {
  if (taken && *taken) journal_->grant((*taken)->id, (*taken)->amount, (*taken)->window);
  return taken;
}

Result<Amounts> LeaseStore::left(std::string_view scope) {
  const std::scoped_lock lock(mutex_);
  return file_.left(scope);
}

Result<void> LeaseStore::write(const Batch& batch) {
  const std::scoped_lock lock(mutex_);
  return file_.write(batch);
}

Result<Report> LeaseStore::report() {
  const std::scoped_lock lock(mutex_);
  return file_.report();
}

Result<std::vector<Reconciled>> LeaseStore::reconcile(Resolve resolve) {
  const std::scoped_lock lock(mutex_);
  return file_.reconcile(resolve);
}

}  // namespace hf::store

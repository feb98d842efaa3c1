#include "store/rocks/database.h"

#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>

#include <filesystem>

#include "store/rocks/file_system.h"
#include "store/rocks/folder_check.h"
#include "store/rocks/seal.h"

namespace atl::store {
namespace {

constexpr char kCompactedKey[] = "compacted";
constexpr char kFormatKey[] = "format";
constexpr char kFormatValue[] = "atoll-store-1";

rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view view(const rocksdb::Slice& s) {
  return {s.data(), s.size()};
}

rocksdb::Options database_options(const RocksOptions& options) {
  rocksdb::Options out;
  out.create_if_missing = true;
  out.create_missing_column_families = true;
  out.max_open_files = 256;
  out.max_background_jobs = 2;
  out.keep_log_file_num = 2;
  out.info_log_level = rocksdb::WARN_LEVEL;
  out.max_total_wal_size = 4 * options.buffer_bytes;
  out.stats_dump_period_sec = 0;
  out.stats_persist_period_sec = 0;
  // One thread writes: nothing to share a memtable or a log for.
  out.allow_concurrent_memtable_write = false;
  out.enable_write_thread_adaptive_yield = false;
  return out;
}

rocksdb::ColumnFamilyOptions family_options(const RocksOptions& options,
                                            const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  rocksdb::ColumnFamilyOptions out;
  out.write_buffer_size = options.buffer_bytes;
  out.max_write_buffer_number = 2;
  out.compression = rocksdb::kLZ4Compression;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return out;
}

// Looks at the files while nobody else may write them.
Result<> check_unused(const std::string& folder, rocksdb::FileSystem& disk) {
  if (!std::filesystem::exists(folder)) return Unit{};
  rocksdb::FileLock* lock = nullptr;
  const auto locked = disk.LockFile(folder + "/LOCK", {}, &lock, nullptr);
  if (!locked.ok()) return rocks_error("open the store in " + folder, locked);
  auto checked = check_folder(folder);
  disk.UnlockFile(lock, {}, nullptr).PermitUncheckedError();
  return checked;
}

}  // namespace

Error rocks_error(std::string_view what, const rocksdb::Status& status) {
  const std::string text = std::string(what) + ": " + status.ToString();
  if (status.IsNoSpace()) return Error(Code::kExhausted, text + "; free disk space");
  if (status.IsCorruption())
    return Error(Code::kInternal, text + "; restore the store from a backup");
  return Error(Code::kUnavailable, text);
}

Result<std::unique_ptr<Database>> Database::open(const RocksOptions& options) {
  const auto disk = options.disk ? options.disk : rocksdb::FileSystem::Default();
  TRY_OK(check_unused(options.folder, *disk));
  const auto cache = rocksdb::NewLRUCache(options.cache_bytes);
  const auto family = family_options(options, cache);
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, family}, {"versions", family}, {"keys", family}};
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  const auto seal = std::make_shared<SealWriter>(disk, options.folder);
  auto env = rocksdb::NewCompositeEnv(store_file_system(disk, seal));
  rocksdb::Options settings = database_options(options);
  settings.env = env.get();
  const auto status = rocksdb::DB::Open(settings, options.folder, families, &handles, &raw);
  if (!status.ok()) return rocks_error("open the store in " + options.folder, status);
  auto database =
      std::unique_ptr<Database>(new Database(std::move(env), std::unique_ptr<rocksdb::DB>(raw)));
  database->meta_ = handles[0];
  database->versions_ = handles[1];
  database->keys_ = handles[2];
  const auto sealed = seal->begin();
  if (!sealed.ok()) return rocks_error("write " + seal_path(options.folder), sealed);
  TRY_OK(database->check_format(options.folder));
  return database;
}

Result<> Database::check_format(const std::string& folder) {
  std::string format;
  const auto found = db_->Get({}, meta_, kFormatKey, &format);
  if (found.IsNotFound()) {
    rocksdb::WriteBatch first;
    first.Put(meta_, kFormatKey, kFormatValue);
    return commit(first);
  }
  if (!found.ok()) return rocks_error("read the store's format", found);
  if (format == kFormatValue) return Unit{};
  return Error(Code::kUnavailable, "the store in " + folder + " has the format " + format +
                                       ", this version reads " + kFormatValue);
}

Database::~Database() {
  for (auto* handle : {meta_, versions_, keys_}) {
    if (handle) db_->DestroyColumnFamilyHandle(handle);
  }
}

// No range is ever deleted here. Looking for deleted ranges would not only be idle: RocksDB 7.8
// then ends an iterator without an error where it steps from one table of a level to the next and
// cannot read that one (MergingIterator::SkipNextDeleted).
std::unique_ptr<rocksdb::Iterator> Database::iterator(rocksdb::ColumnFamilyHandle* family) const {
  rocksdb::ReadOptions options;
  options.ignore_range_deletions = true;
  return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, family));
}

Result<Database::Bounds> Database::bounds() const {
  Bounds bounds;
  std::string compacted;
  const auto status = db_->Get({}, meta_, kCompactedKey, &compacted);
  if (!status.ok() && !status.IsNotFound())
    return rocks_error("read the compacted revision", status);
  if (status.ok()) {
    TRY(bounds.compacted, parse_version_key(compacted));
  }
  const auto it = iterator(versions_);
  it->SeekToLast();
  if (it->Valid()) {
    TRY(bounds.newest, parse_version_key(view(it->key())));
  }
  if (!it->status().ok()) return rocks_error("read the newest revision", it->status());
  bounds.newest = std::max(bounds.newest, bounds.compacted);
  return bounds;
}

Database::KeyReader Database::key_reader() const {
  return KeyReader(iterator(keys_));
}

Result<KeyState> Database::KeyReader::state_of(std::string_view key) {
  it_->Seek(index_key(key, Revision{UINT64_MAX}));
  if (!it_->status().ok()) return rocks_error("read the key index", it_->status());
  if (!it_->Valid()) return KeyState{};
  TRY(const IndexEntry entry, parse_index_key(view(it_->key())));
  if (entry.key != key) return KeyState{};
  TRY(const IndexState state, parse_index_value(view(it_->value())));
  return KeyState{!state.deleted, state.created, entry.modified};
}

Result<Stored> Database::load(std::string_view key, const KeyState& state) const {
  rocksdb::PinnableSlice bytes;
  const auto status = db_->Get({}, versions_, version_key(state.modified), &bytes);
  if (status.IsNotFound()) return missing_version(state.modified);
  if (!status.ok()) return rocks_error("read a version", status);
  TRY(const Record record, decode_record(state.modified, view(bytes)));
  if (record.key != key || !record.value)
    return Error(
        Code::kInternal,
        "the key index of the store points at another key; restore the store from a backup");
  return Stored{std::string(key), share(std::string(*record.value)), state.created, state.modified};
}

Result<std::optional<Stored>> Database::get(const std::string& key, Revision at) const {
  const auto it = iterator(keys_);
  it->Seek(index_key(key, at));
  if (!it->status().ok()) return rocks_error("read the key index", it->status());
  if (!it->Valid()) return std::optional<Stored>();
  TRY(const IndexEntry entry, parse_index_key(view(it->key())));
  if (entry.key != key) return std::optional<Stored>();
  TRY(const IndexState state, parse_index_value(view(it->value())));
  if (state.deleted) return std::optional<Stored>();
  TRY(Stored stored, load(key, {true, state.created, entry.modified}));
  return std::optional<Stored>(std::move(stored));
}

Result<Range> Database::range(const RangeQuery& query, Revision at) const {
  Range range;
  range.revision = at;
  const auto it = iterator(keys_);
  std::string done;  // the key whose visible version was already decided
  for (it->Seek(slice(query.begin)); it->Valid(); it->Next()) {
    TRY(const IndexEntry entry, parse_index_key(view(it->key())));
    if (!query.end.empty() && entry.key >= query.end) break;
    if (entry.key == done || entry.modified > at) continue;
    done = entry.key;
    TRY(const IndexState state, parse_index_value(view(it->value())));
    if (state.deleted) continue;
    if (query.limit && range.items.size() == query.limit) {
      range.more = true;
      break;
    }
    TRY(Stored stored, load(entry.key, {true, state.created, entry.modified}));
    range.items.push_back(std::move(stored));
  }
  if (!it->status().ok()) return rocks_error("read a range", it->status());
  return range;
}

Result<Event> Database::event_at(Revision revision, std::string_view bytes) const {
  TRY(const Record record, decode_record(revision, bytes));
  const std::string key(record.key);
  Event event{
      record.value ? Event::Type::kPut : Event::Type::kDelete,
      {key, record.value ? share(std::string(*record.value)) : nullptr, record.created, revision},
      std::nullopt};
  if (!record.previous) return event;
  std::string before;
  const auto status = db_->Get({}, versions_, version_key(record.previous), &before);
  if (status.IsNotFound()) return missing_version(record.previous);
  if (!status.ok()) return rocks_error("read the version before", status);
  TRY(const Record previous, decode_record(record.previous, before));
  if (previous.value)
    event.previous =
        Stored{key, share(std::string(*previous.value)), previous.created, record.previous};
  return event;
}

Result<std::vector<Event>> Database::history(const std::string& prefix, Revision from, Revision to,
                                             size_t limit) const {
  std::vector<Event> events;
  const auto it = iterator(versions_);
  Revision next = from.next();
  for (it->Seek(version_key(next)); it->Valid() && events.size() < limit; it->Next()) {
    TRY(const Revision revision, parse_version_key(view(it->key())));
    if (revision > to || revision != next) break;  // a gap is told below
    next = revision.next();
    TRY(const Record record, decode_record(revision, view(it->value())));
    if (!record.key.starts_with(prefix)) continue;
    TRY(Event event, event_at(revision, view(it->value())));
    events.push_back(std::move(event));
  }
  if (!it->status().ok()) return rocks_error("read the history", it->status());
  // Compaction leaves every version behind `from`, so each revision has one.
  if (events.size() < limit && next <= to) return missing_version(next);
  return events;
}

// Every version at or before `at` makes the one before it unreadable; a deletion is unreadable
// itself. `from` is the revision compacted before, so each version is looked at once in its life.
Result<Revision> Database::compact_some(Revision from, Revision at) {
  constexpr size_t kBatchMax = 1000;
  const auto it = iterator(versions_);
  rocksdb::WriteBatch batch;
  for (it->Seek(version_key(from.next())); it->Valid(); it->Next()) {
    TRY(const Revision revision, parse_version_key(view(it->key())));
    if (revision > at) break;
    TRY(const Record record, decode_record(revision, view(it->value())));
    if (record.previous) {
      batch.Delete(versions_, version_key(record.previous));
      batch.Delete(keys_, index_key(record.key, record.previous));
    }
    if (!record.value) {
      batch.Delete(versions_, version_key(revision));
      batch.Delete(keys_, index_key(record.key, revision));
    }
    if (batch.Count() < kBatchMax) continue;
    at = revision;
    break;
  }
  if (!it->status().ok()) return rocks_error("compact", it->status());
  batch.Put(meta_, kCompactedKey, version_key(at));
  TRY_OK(commit(batch));
  return at;
}

Result<> Database::backup(const std::string& folder) const {
  if (std::filesystem::exists(folder))
    return Error(Code::kExists, folder + " exists; name a folder that does not");
  rocksdb::Checkpoint* raw = nullptr;
  const auto made = rocksdb::Checkpoint::Create(db_.get(), &raw);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  if (!made.ok()) return rocks_error("prepare the backup", made);
  const auto status = checkpoint->CreateCheckpoint(folder);
  if (!status.ok()) return rocks_error("back up to " + folder, status);
  return seal_copy(folder);
}

Result<> Database::commit(rocksdb::WriteBatch& batch) {
  rocksdb::WriteOptions durable;
  durable.sync = true;
  const auto status = db_->Write(durable, &batch);
  if (!status.ok()) return rocks_error("commit", status);
  return Unit{};
}

}  // namespace atl::store

#include "kernel/keeper/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/io/files.h"

namespace atl::keeper {
namespace {

constexpr uint32_t kPut = 1;
constexpr uint32_t kGone = 2;
constexpr size_t kAhead = 32;  // records: room is not taken for each anew

struct DiskRecord {
  uint64_t checksum = 0;  // FNV-1a of what follows
  uint64_t sequence = 0;
  uint32_t kind = 0;
  uint32_t size = sizeof(ContainerRecord);
  ContainerRecord body;
};
static_assert(sizeof(DiskRecord) == 24 + sizeof(ContainerRecord));

uint64_t checksum_of(const DiskRecord& record) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(&record);
  uint64_t h = 14695981039346656037u;
  for (size_t i = sizeof record.checksum; i < sizeof record; ++i)
    h = (h ^ bytes[i]) * 1099511628211u;
  return h;
}

bool valid(const DiskRecord& record) {
  return record.size == sizeof(ContainerRecord) && (record.kind == kPut || record.kind == kGone) &&
         record.checksum == checksum_of(record);
}

DiskRecord sealed(const ContainerRecord& body, uint32_t kind, uint64_t sequence) {
  DiskRecord record;
  record.kind = kind, record.sequence = sequence, record.body = body;
  record.checksum = checksum_of(record);
  return record;
}

}  // namespace

Result<Journal> Journal::open(std::string file, ContainerRecords& records) {
  io::UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return io::errno_error("open " + file, errno);
  Journal journal(std::move(file), std::move(fd));
  DiskRecord record;
  off_t good = 0;
  while (::pread(journal.fd_.get(), &record, sizeof record, good) == ssize_t(sizeof record) &&
         valid(record)) {
    const std::string id(text(record.body.info.id));
    if (record.kind == kPut) records[id] = record.body;
    if (record.kind == kGone) records.erase(id);
    journal.sequence_ = record.sequence;
    ++journal.written_;
    good += sizeof record;
  }
  if (::ftruncate(journal.fd_.get(), good) < 0)
    return io::errno_error("cut " + journal.file_, errno);
  if (::lseek(journal.fd_.get(), good, SEEK_SET) < 0)
    return io::errno_error("seek " + journal.file_, errno);
  return journal;
}

Result<> Journal::append(const ContainerRecord& body, uint32_t kind) {
  const DiskRecord record = sealed(body, kind, sequence_ + 1);
  const off_t at = off_t(written_ * sizeof record);
  const ssize_t n = ::pwrite(fd_.get(), &record, sizeof record, at);
  if (n != ssize_t(sizeof record)) return io::errno_error("write " + file_, n < 0 ? errno : ENOSPC);
  ++sequence_, ++written_;
  return Unit{};
}

Result<> Journal::reserve(size_t records) {
  const size_t wanted = written_ + records;
  if (wanted <= reserved_) return Unit{};
  // The size of the file stays: it says where the records end.
  if (::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, off_t(written_ * sizeof(DiskRecord)),
                  off_t((records + kAhead) * sizeof(DiskRecord))) < 0 &&
      errno != EOPNOTSUPP) {
    return io::errno_error("make room in " + file_, errno);
  }
  reserved_ = wanted + kAhead;
  return Unit{};
}

Result<> Journal::put(const ContainerRecord& record) {
  return append(record, kPut);
}

Result<> Journal::put_durable(const ContainerRecord& record) {
  TRY_OK(append(record, kPut));
  if (::fdatasync(fd_.get()) < 0) return io::errno_error("sync " + file_, errno);
  return Unit{};
}

Result<> Journal::remove(std::string_view id) {
  ContainerRecord record;
  if (!keeper::put(record.info.id, id)) return Error(Code::kInvalid, "container id is too long");
  return append(record, kGone);
}

Result<> Journal::compact_if_large(const ContainerRecords& records) {
  if (written_ < records.size() + kSlack) return Unit{};
  std::string bytes;
  bytes.reserve(records.size() * sizeof(DiskRecord));
  uint64_t sequence = sequence_;
  for (const auto& [id, body] : records) {
    const DiskRecord record = sealed(body, kPut, ++sequence);
    bytes.append(reinterpret_cast<const char*>(&record), sizeof record);
  }
  TRY_OK(io::write_file_atomic(file_, bytes, 0600));
  io::UniqueFd fd(::open(file_.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) return io::errno_error("open " + file_, errno);
  fd_ = std::move(fd);
  sequence_ = sequence, written_ = records.size(), reserved_ = 0;
  return Unit{};
}

}  // namespace atl::keeper

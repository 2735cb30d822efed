// The header of values in the root.

#include "storage/root_value.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "storage/store_format.h"

namespace trefoil {
namespace {

uint64_t value_checksum(Keyspace keyspace, Bytes key, Bytes payload) {
    return hash_bytes(payload, hash_bytes(key, static_cast<uint64_t>(keyspace)));
}

}  // namespace

std::string hex_of(Bytes bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (unsigned char byte : bytes.substr(0, 32)) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return bytes.size() > 32 ? text + ".." : text;
}

void write_root_value(char* to, Keyspace keyspace, Bytes key, Bytes payload) {
    const uint32_t length = static_cast<uint32_t>(payload.size());
    const uint16_t version = kRootHeaderVersion, zero = 0;
    const uint64_t hash = value_checksum(keyspace, key, payload);
    std::memcpy(to, &length, 4);
    std::memcpy(to + 4, &version, 2);
    std::memcpy(to + 6, &zero, 2);
    std::memcpy(to + 8, &hash, 8);
    if (length > 0) std::memcpy(to + kRootHeaderBytes, payload.data(), length);
}

Result<Bytes> read_root_value(Keyspace keyspace, Bytes key, Bytes stored) {
    Reader reader(stored);
    uint32_t length = reader.u32();
    uint16_t version = reader.u16();
    uint16_t zero = reader.u16();
    uint64_t hash = reader.u64();
    Bytes payload = stored.substr(std::min(stored.size(), kRootHeaderBytes));
    if (reader.ok() && version == kRootHeaderVersion && zero == 0 && length == payload.size() &&
        hash == value_checksum(keyspace, key, payload)) {
        return payload;
    }
    return Status::corruption("the root of the database is damaged: the value of key " +
                              hex_of(key) + " in keyspace " + std::string(name_of(keyspace)) +
                              " does not match its checksum")
        .with_hint("Restore the database from a backup; root.bak holds the last checkpoint.");
}

}  // namespace trefoil

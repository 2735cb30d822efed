// KeyDecoder: columns of rows read back from their keys, so that the rows need not be touched.
//
//     KeyDecoder decoder(encoder, {0, 2});            // two parts of the key
//     for (each entry) decoder.add_bytes(run.bytes_key(at));
//     std::vector<arrow::Array> columns = decoder.finish();
//
// What a key does not tell apart it does not give back: -0.0 and 0.0 are one key, and so are all
// NaNs, so parts of type REAL and DOUBLE are not decoded. The greatest BIGINT and TIMESTAMP share
// NULL's key of shape kInteger: there the caller says which it is. Tested by key_decoder_test.cpp.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "arrow/builder.h"
#include "base/bytes.h"
#include "index/key_encoder.h"

namespace trefoil::index {

class KeyDecoder {
public:
    // Whether values of this type can be read back.
    static bool can_decode(const arrow::Type& type);

    // `keys` must outlive it. REQUIRES: `parts` are parts of the key that can be decoded.
    KeyDecoder(const KeyEncoder& keys, std::vector<uint32_t> parts);

    // Room for so many keys of shape kInteger.
    void reserve(size_t keys) { integers_.reserve(keys); }
    // One more key. REQUIRES: one of this shape, written by an encoder of these types.
    void add_integer(uint64_t key, bool is_null) {
        if (is_null) nulls_.push_back(integers_.size());
        integers_.push_back(key);
    }
    void add_bytes(Bytes key);

    // The columns of all keys added, in the order of `parts`; afterwards it is empty.
    std::vector<arrow::Array> finish();

private:
    arrow::Array finish_integers();

    const KeyEncoder& keys_;
    std::vector<uint32_t> parts_;
    std::vector<uint64_t> integers_;
    std::vector<size_t> nulls_;  // of them
    // kBytes: by part of the key up to the last that is wanted, the place in builders_ or kSkip.
    static constexpr size_t kSkip = SIZE_MAX;
    std::vector<size_t> places_;
    std::vector<arrow::ColumnBuilder> builders_;
    std::string scratch_, flipped_;
};

}  // namespace trefoil::index

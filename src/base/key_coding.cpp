// Key coding: the parts whose length varies.

#include "base/key_coding.h"

namespace trefoil {

void KeyWriter::text(Bytes v) {
    while (true) {
        size_t zero = v.find('\0');
        out_.append(v.substr(0, zero));
        if (zero == Bytes::npos) break;
        out_.append("\0\xff", 2);
        v.remove_prefix(zero + 1);
    }
    out_.append("\0\0", 2);
}

bool KeyReader::has_value() {
    uint64_t flag = big_endian<1>();
    if (flag > static_cast<uint64_t>(kKeyNullFlag)) ok_ = false;
    return ok_ && flag == kKeyValueFlag;
}

Bytes KeyReader::fixed(size_t n) {
    if (!ok_ || n > key_.size() - at_) {
        ok_ = false;
        at_ = key_.size();
        return {};
    }
    Bytes v = key_.substr(at_, n);
    at_ += n;
    return v;
}

std::string KeyReader::text() {
    std::string out;
    while (ok_) {
        size_t zero = key_.find('\0', at_);
        if (zero == Bytes::npos) break;
        out.append(key_.substr(at_, zero - at_));
        at_ = zero;
        Bytes mark = fixed(2);
        if (mark.size() == 2 && mark[1] == '\0') return out;
        if (mark.size() == 2 && mark[1] != '\xff') break;
        out.push_back('\0');
    }
    ok_ = false;
    at_ = key_.size();
    return {};
}

Bytes KeyReader::text_view(std::string* memory) {
    const size_t zero = key_.find('\0', at_);
    if (!ok_ || zero == Bytes::npos || zero + 1 >= key_.size() || key_[zero + 1] != '\0') {
        *memory = text();
        return *memory;
    }
    const Bytes v = key_.substr(at_, zero - at_);
    at_ = zero + 2;
    return v;
}

Bytes KeyReader::flipped(size_t width, std::string* memory) {
    size_t end = at_ + width;
    // A text ends with two bytes 00, flipped; ff 00 is a 00 in it.
    while (ok_ && width == 0) {
        end = key_.find('\xff', end);
        if (end == Bytes::npos || end + 1 >= key_.size()) break;
        end += 2;
        if (key_[end - 1] == '\xff') break;
    }
    *memory = fixed(end == Bytes::npos ? key_.size() + 1 : end - at_);
    for (char& c : *memory) c = static_cast<char>(~c);
    return *memory;
}

bool prefix_successor(std::string* prefix) {
    while (!prefix->empty() && prefix->back() == '\xff') prefix->pop_back();
    if (prefix->empty()) return false;
    prefix->back() = static_cast<char>(static_cast<uint8_t>(prefix->back()) + 1);
    return true;
}

}  // namespace trefoil

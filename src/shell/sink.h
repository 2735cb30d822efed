// Sink: where rendered text goes: a file, a terminal, or a string in a test.

#pragma once

#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>

namespace trefoil::shell {

class Sink {
public:
    virtual ~Sink() = default;
    virtual void write(std::string_view text) = 0;
    virtual void flush() {}
};

class StringSink final : public Sink {
public:
    void write(std::string_view text) override { text_ += text; }
    const std::string& text() const { return text_; }

private:
    std::string text_;
};

// Writes to a stdio stream that it does not own, and remembers the first error.
class FileSink final : public Sink {
public:
    explicit FileSink(std::FILE* file) : file_(file) {}

    void write(std::string_view text) override {
        if (std::fwrite(text.data(), 1, text.size(), file_) != text.size()) remember();
    }
    void flush() override {
        if (std::fflush(file_) != 0) remember();
    }
    // errno of the first write that failed, or 0.
    int error() const { return error_; }

private:
    void remember() {
        if (error_ == 0) error_ = errno;
    }

    std::FILE* file_;
    int error_ = 0;
};

}  // namespace trefoil::shell

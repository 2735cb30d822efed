// The list, and what counts as one value: letters of any case, and utf8 with and without a hyphen.

#include "db/client_settings.h"

#include <array>
#include <string>

namespace trefoil {
namespace {

constexpr std::array kSettings = {
    ClientSetting{"server_version", "15.0", "the version of PostgreSQL whose rules we follow"},
    ClientSetting{"server_version_num", "150000", "the same as a number"},
    ClientSetting{"server_encoding", "UTF8", "how texts are stored"},
    ClientSetting{"client_encoding", "UTF8", "how texts are sent"},
    ClientSetting{"standard_conforming_strings", "on", "backslashes in '...' are letters"},
    ClientSetting{"escape_string_warning", "on", "there is no warning"},
    ClientSetting{"integer_datetimes", "on", "times are whole microseconds"},
    ClientSetting{"datestyle", "ISO, YMD", "how dates are written"},
    ClientSetting{"intervalstyle", "postgres", "how intervals are written"},
    ClientSetting{"bytea_output", "hex", "how bytes are written"},
    ClientSetting{"extra_float_digits", "1", "numbers are written with all their digits"},
    ClientSetting{"client_min_messages", "notice", "there are no notices"},
    ClientSetting{"lc_collate", "C", "texts are compared by their bytes"},
    ClientSetting{"lc_ctype", "C", "what a letter is"},
    ClientSetting{"max_identifier_length", "63", "longer names are allowed"},
    ClientSetting{"is_superuser", "on", "there are no users"},
    ClientSetting{"session_authorization", "trefoil", "there are no users"},
};

// Letters and digits in lower case; blanks, hyphens and underscores do not count.
std::string plain(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (c == ' ' || c == '-' || c == '_') continue;
        out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return out;
}

}  // namespace

std::span<const ClientSetting> client_settings() {
    return kSettings;
}

const ClientSetting* find_client_setting(std::string_view name) {
    for (const ClientSetting& s : kSettings) {
        if (s.name == name) return &s;
    }
    return nullptr;
}

Status check_client_setting(const ClientSetting& setting, std::string_view value) {
    // "ISO" is half of "ISO, YMD"; the other half is about reading.
    if (plain(setting.value).starts_with(plain(value)) && !value.empty()) return {};
    return Status(Code::kInvalidInput, "22023",
                  "\"" + std::string(setting.name) + "\" can only be \"" +
                      std::string(setting.value) + "\", not \"" + std::string(value) + "\"");
}

}  // namespace trefoil

// Settings that programs written for PostgreSQL read or set when they connect.
//
// Each has one value here, because the database knows no other: setting it to that value is no
// error, setting it to another is refused. Only application_name may be anything; it is kept with
// the session.

#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "trefoil/status.h"

namespace trefoil {

struct ClientSetting {
    std::string_view name, value, about;
};

std::span<const ClientSetting> client_settings();

// nullptr if there is none of that name.
const ClientSetting* find_client_setting(std::string_view name);

// Whether `value` is what the setting is. Errors: 22023.
Status check_client_setting(const ClientSetting& setting, std::string_view value);

}  // namespace trefoil

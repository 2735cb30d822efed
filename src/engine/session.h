// EngineSession over the bridge.

#pragma once

#include <memory>

#include "engine/border.h"
#include "engine/engine.h"

namespace trefoil::engine {

std::unique_ptr<EngineSession> make_session(SessionHandle session);

}  // namespace trefoil::engine

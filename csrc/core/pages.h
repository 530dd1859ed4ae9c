// Memory that is not needed any more, though the array that holds it is.
#pragma once

#include <cstdint>

namespace fewfire {

// Hands the whole pages among these bytes back to the system, where it takes them. The bytes are lost.
void give_back(uint8_t* bytes, int64_t count);

}  // namespace fewfire

// Which instruction set the kernels use: the best this machine has, unless told to use a lower one.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace fewfire {

std::vector<std::string> available_instruction_sets();  // best first
std::string instruction_set();
// Throws std::invalid_argument for a name that is unknown or not available here.
void use_instruction_set(const std::string& name);

}  // namespace fewfire

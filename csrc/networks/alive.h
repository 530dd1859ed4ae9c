// Which neurons fire on some sample of a training set: the others never move (docs/theory/silent_neurons.md).
#pragma once

#include <cstdint>

#include "core/rows.h"

namespace fewfire {

// alive[r] = 1 where <w_r, x_i> > threshold for some i, by the shared dot, else 0. Rows are looked at until
// one fires: an alive neuron costs little, a silent one x.count dots.
template <class T>
void fires_on_any(const Rows<const T>& w, const Rows<const T>& x, T threshold, uint8_t* alive);

}  // namespace fewfire

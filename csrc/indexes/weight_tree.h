// The weights of a network in a half-space tree, with a bound on how far each row has moved since it was
// written there: the point (w, drift) of one coordinate more. Asked with (x, |x|), the tree proposes all that
// may fire (docs/theory/halfspace.md).
#pragma once

#include "halfspace/halfspace_tree.h"
#include "networks/weights.h"

namespace fewfire {

// Writes all rows as they are now, with no drift.
template <class T>
void weight_tree_refresh(HalfspaceTree<T>& tree, const Weights<T>& w);

// Row r has moved by lengths[r] at the most.
template <class T>
void weight_tree_moved(HalfspaceTree<T>& tree, const double* lengths);

}  // namespace fewfire

// Who fires in a layer whose inputs are sparse: all pre-activations, from the inputs that fire alone.
//
// Each is one chain of multiply-adds over the features that are not 0, ascending, from +0. A chain over all
// features has the same bits, for a feature of 0 changes no partial sum.
#pragma once

#include "core/fire_set.h"
#include "core/rows.h"
#include "core/sparse_inputs.h"
#include "networks/sparse_descent.h"

namespace fewfire {

template <class T>
FireSet<T> sparse_fire_set(const Rows<const T>& w, const SparseInputs<T>& x, T threshold, FireWork& work);

// Takes a step and finds who fires on the next batch, in one pass over the weights.
template <class T>
FireSet<T> sparse_step(const SparseDescent<T>& descent, const SparseInputs<T>& next, T threshold,
                       FireWork& work);

}  // namespace fewfire

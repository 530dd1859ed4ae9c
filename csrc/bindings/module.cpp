// The Python module `fewfire._core`: a file per room of the core.
#include "bindings/arrays.h"
#include "kernels/kernels.h"

NB_MODULE(_core, m) {
  m.doc() = "The compiled core of fewfire. Internal: nothing is checked here.";
#ifdef NDEBUG
  // A daemon thread that still holds an object when Python ends is no leak that a user can mend.
  nanobind::set_leak_warnings(false);
#endif
  m.attr("block") = fewfire::kBlock;
  fewfire::bind_core(m);
  fewfire::bind_networks(m);
  fewfire::bind_halfspace(m);
  fewfire::bind_indexes(m);
  fewfire::bind_training(m);
}

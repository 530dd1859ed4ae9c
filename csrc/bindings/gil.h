// The GIL, given up while the core computes.
#pragma once

#include <nanobind/nanobind.h>

#if defined(__GLIBCXX__)
#include <cxxabi.h>
#include <unistd.h>
#endif

namespace fewfire {

// Gives up the GIL and takes it back at the end of its scope. Before 3.14 Python ends a thread that asks for
// the GIL while the interpreter closes, and glibc then unwinds the thread's frames; no destructor may be
// unwound through, so this one stops the thread where it stands. The process ends with its main thread.
class GilReleased {
 public:
  GilReleased() : state_(PyEval_SaveThread()) {}
  GilReleased(const GilReleased&) = delete;
  GilReleased& operator=(const GilReleased&) = delete;

#if defined(__GLIBCXX__)
  ~GilReleased() {
    try {
      PyEval_RestoreThread(state_);
    } catch (abi::__forced_unwind&) {
      for (;;) pause();
    }
  }
#else
  ~GilReleased() { PyEval_RestoreThread(state_); }
#endif

 private:
  PyThreadState* state_;
};

}  // namespace fewfire

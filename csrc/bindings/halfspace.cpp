// The half-space tree.
#include "halfspace/halfspace_reporter.h"

#include <cmath>
#include <optional>

#include "bindings/arrays.h"
#include "bindings/gil.h"
#include "halfspace/halfspace_reporter.h"

namespace fewfire {
namespace {

// (begins, ids) of `count` questions or points
nb::tuple as_tuple(Reports reports, int64_t count) {
  const auto pairs = static_cast<size_t>(reports.begins[count]);
  return nb::make_tuple(owned(std::move(reports.begins), count + 1), owned(std::move(reports.ids), pairs));
}

template <class T>
void rebuild_where_due(HalfspaceTree<T>& tree) {
  if (tree.rebuild_is_due()) tree.rebuild_all();
}

template <class T>
void bind_tree(nb::module_& m) {
  using Tree = HalfspaceTree<T>;
  using In = Matrix<const T>;
  using Ids = Vector<const int32_t>;

  nb::class_<Tree>(m, named<T>("HalfspaceTree").c_str())
      .def(nb::init<int64_t>(), "n_features"_a)
      .def("__len__", &Tree::size)
      .def_prop_ro("nbytes", &Tree::bytes)
      .def_prop_ro("consistent", &Tree::consistent)
      .def_prop_ro("work", [](const Tree& self) { return self.work(); })
      .def(
          "insert",
          [](Tree& self, Ids ids, In points) {
            GilReleased released;
            self.insert(ids.data(), rows(points));
          },
          "ids"_a.noconvert(), "points"_a.noconvert())
      .def(
          "copy",
          [](const Tree& self, Ids ids, Matrix<T> points) {
            self.copy(ids.data(), ids.shape(0), points.data());
          },
          "ids"_a.noconvert(), "points"_a.noconvert())
      .def(
          "report",
          [](Tree& self, In normals, Vector<const T> offsets, bool propose) {
            Reports reports;
            {
              GilReleased released;
              rebuild_where_due(self);
              reports = self.report(rows(normals), offsets.data(), propose);
            }
            return as_tuple(std::move(reports), normals.shape(0));
          },
          "normals"_a.noconvert(), "offsets"_a.noconvert(), "propose"_a)
      .def(
          "proposed_to",
          [](Tree& self, In normals, Vector<const T> offsets, int64_t n_ids) {
            Reports reports;
            {
              GilReleased released;
              rebuild_where_due(self);
              reports = self.proposed_to(rows(normals), offsets.data(), n_ids);
            }
            return as_tuple(std::move(reports), n_ids);
          },
          "normals"_a.noconvert(), "offsets"_a.noconvert(), "n_ids"_a);
}

// Questions as the tree wants them. They are in either precision and stay the caller's, who may change them
// meanwhile: so they are copied, padded, before anything is said of them.
template <class T>
class Questions {
 public:
  template <class V>
  Questions(const Rows<const V>& normals, const T* offsets, bool strict)
      : count_(normals.count),
        stride_((normals.stride + kLanes - 1) / kLanes * kLanes),
        normals_(count_ * stride_),
        offsets_(offsets, offsets + count_) {
    for (int64_t i = 0; i < count_; ++i) {
      for (int64_t f = 0; f < normals.stride; ++f) {
        const T value = static_cast<T>(normals[i][f]);
        finite_ = finite_ && std::isfinite(value);
        normals_[i * stride_ + f] = value;
      }
      finite_offsets_ = finite_offsets_ && std::isfinite(offsets_[i]);
      // What is not below the offset is above the number before it.
      if (!strict) offsets_[i] = std::nextafter(offsets_[i], -std::numeric_limits<T>::infinity());
    }
  }

  // "": they can be asked; or else what is not finite.
  const char* fault() const { return !finite_ ? "normals" : !finite_offsets_ ? "offsets" : ""; }
  int64_t count() const { return count_; }
  Rows<const T> normals() const { return {normals_.data(), count_, stride_}; }
  const T* offsets() const { return offsets_.data(); }

 private:
  static constexpr int64_t kLanes = 64 / sizeof(T);
  int64_t count_, stride_;
  std::vector<T> normals_, offsets_;
  bool finite_ = true, finite_offsets_ = true;
};

template <class T>
struct Answer {
  Reports reports;
  std::unique_ptr<T[]> values;
};

template <class T>
Answer<T> report(HalfspaceReporter<T>& self, const Questions<T>& questions, bool with_values) {
  GilReleased released;
  Answer<T> answer;
  answer.reports =
      self.report(questions.normals(), questions.offsets(), with_values ? &answer.values : nullptr);
  return answer;
}

// Questions whose numbers are of type V. What is not finite is answered by its name.
template <class T, class V>
void bind_questions(nb::class_<HalfspaceReporter<T>>& reporter) {
  using Reporter = HalfspaceReporter<T>;
  const auto of_one = [](const Vector<const V>& normal) {
    return Rows<const V>{normal.data(), 1, static_cast<int64_t>(normal.shape(0))};
  };
  reporter
      .def(
          "report",
          [](Reporter& self, Matrix<const V> normals, Vector<const T> offsets, bool strict,
             bool with_values) -> nb::object {
            const Questions<T> questions(rows(normals), offsets.data(), strict);
            if (*questions.fault()) return nb::str(questions.fault());
            Answer<T> answer = report(self, questions, with_values);
            const auto pairs = static_cast<size_t>(answer.reports.begins[questions.count()]);
            nb::tuple found = as_tuple(std::move(answer.reports), questions.count());
            if (!with_values) return found;
            return nb::make_tuple(found[0], found[1], owned(std::move(answer.values), pairs));
          },
          "normals"_a.noconvert(), "offsets"_a.noconvert(), "strict"_a, "with_values"_a)
      .def(
          "report_one",
          [of_one](Reporter& self, Vector<const V> normal, double offset, bool strict,
                   bool with_values) -> nb::object {
            const T limit = static_cast<T>(offset);
            const Questions<T> question(of_one(normal), &limit, strict);
            if (*question.fault()) return nb::str(question.fault());
            Answer<T> answer = report(self, question, with_values);
            const auto pairs = static_cast<size_t>(answer.reports.begins[1]);
            nb::object ids = nb::cast(owned(std::move(answer.reports.ids), pairs));
            if (!with_values) return ids;
            return nb::make_tuple(ids, owned(std::move(answer.values), pairs));
          },
          "normal"_a.noconvert(), "offset"_a, "strict"_a, "with_values"_a)
      .def(
          "count",
          [](Reporter& self, Matrix<const V> normals, Vector<const T> offsets, bool strict) -> nb::object {
            const Questions<T> questions(rows(normals), offsets.data(), strict);
            if (*questions.fault()) return nb::str(questions.fault());
            std::vector<int64_t> found;
            {
              GilReleased released;
              found = self.count(questions.normals(), questions.offsets());
            }
            return nb::cast(as_array(found));
          },
          "normals"_a.noconvert(), "offsets"_a.noconvert(), "strict"_a)
      .def(
          "count_one",
          [of_one](Reporter& self, Vector<const V> normal, double offset, bool strict) -> nb::object {
            const T limit = static_cast<T>(offset);
            const Questions<T> question(of_one(normal), &limit, strict);
            if (*question.fault()) return nb::str(question.fault());
            int64_t found;
            {
              GilReleased released;
              found = self.count(question.normals(), question.offsets())[0];
            }
            return nb::int_(found);
          },
          "normal"_a.noconvert(), "offset"_a, "strict"_a);
}

// No call waits for the lock of a reporter with the GIL in hand, nor for the GIL with that lock in hand.
template <class T>
void bind_reporter(nb::module_& m) {
  using Reporter = HalfspaceReporter<T>;
  using In = Matrix<const T>;
  const auto released = nb::call_guard<GilReleased>();

  nb::class_<Reporter> reporter(m, named<T>("HalfspaceReporter").c_str());
  reporter.def(nb::init<int64_t>(), "n_features"_a)
      .def("__len__", &Reporter::size, released)
      .def("nbytes", &Reporter::bytes, released)
      .def("work", &Reporter::work, released)
      .def("consistent", &Reporter::consistent, released)
      .def("holds", &Reporter::holds, "id"_a, released)
      .def("ids",
           [](const Reporter& self) {
             std::vector<int32_t> ids;
             {
               GilReleased released;
               ids = self.ids();
             }
             return as_array(ids);
           })
      .def("snapshot",
           [](const Reporter& self) {
             typename Reporter::Snapshot all;
             {
               GilReleased released;
               all = self.snapshot();
             }
             return nb::make_tuple(as_array(all.ids), as_array(all.points));
           })
      .def(
          "insert",
          [](Reporter& self, In points, int64_t most) -> nb::object {
            const auto count = static_cast<size_t>(points.shape(0));
            std::unique_ptr<int32_t[]> ids(new int32_t[count]);
            bool room;
            {
              GilReleased released;
              room = self.insert(rows(points), most, ids.get());
            }
            return room ? nb::cast(owned(std::move(ids), count)) : nb::none();
          },
          "points"_a.noconvert(), "most"_a)
      .def(
          "restore",
          [](Reporter& self, Vector<const int32_t> ids, In points) {
            GilReleased released;
            self.restore(ids.data(), rows(points));
          },
          "ids"_a.noconvert(), "points"_a.noconvert())
      .def(
          "remove",
          [](Reporter& self, Vector<const int64_t> ids) {
            GilReleased released;
            return self.remove(ids.data(), static_cast<int64_t>(ids.shape(0)));
          },
          "ids"_a.noconvert())
      .def(
          "move",
          [](Reporter& self, Vector<const int64_t> ids, In points) {
            GilReleased released;
            return self.move(ids.data(), rows(points));
          },
          "ids"_a.noconvert(), "points"_a.noconvert())
      .def(
          "copy",
          [](const Reporter& self, Vector<const int64_t> ids, Matrix<T> points) {
            GilReleased released;
            return self.copy(ids.data(), static_cast<int64_t>(ids.shape(0)), points.data());
          },
          "ids"_a.noconvert(), "points"_a.noconvert());
  bind_questions<T, float>(reporter);
  bind_questions<T, double>(reporter);
}

}  // namespace

void bind_halfspace(nb::module_& m) {
  nb::class_<TreeWork>(m, "TreeWork")
      .def(nb::init<>())
      .def_ro("nodes", &TreeWork::nodes)
      .def_ro("tested", &TreeWork::tested)
      .def_ro("decided", &TreeWork::decided)
      .def_ro("placed", &TreeWork::placed);
  bind_tree<float>(m);
  bind_tree<double>(m);
  bind_reporter<float>(m);
  bind_reporter<double>(m);
}

}  // namespace fewfire

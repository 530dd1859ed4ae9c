// The half-space tree.
#include "halfspace/halfspace_tree.h"

#include <nanobind/stl/vector.h>

#include "bindings/arrays.h"

namespace fewfire {
namespace {

// (begins, ids) of `count` questions or points
nb::tuple as_tuple(Reports reports, int64_t count) {
  const auto pairs = static_cast<size_t>(reports.begins[count]);
  return nb::make_tuple(owned(std::move(reports.begins), count + 1), owned(std::move(reports.ids), pairs));
}

template <class T>
void bind(nb::module_& m) {
  using Tree = HalfspaceTree<T>;
  using In = Matrix<const T>;
  using Ids = Vector<const int32_t>;

  nb::class_<Tree>(m, named<T>("HalfspaceTree").c_str())
      .def(nb::init<int64_t>(), "n_features"_a)
      .def("__len__", &Tree::size)
      .def_prop_ro("nbytes", &Tree::bytes)
      .def_prop_ro("depth", &Tree::depth)
      .def_prop_ro("consistent", &Tree::consistent)
      .def_prop_ro("work", [](const Tree& self) { return self.work(); })
      .def("holds",
           [](const Tree& self, Vector<const int64_t> ids) {
             return std::all_of(ids.data(), ids.data() + ids.shape(0),
                                [&](int64_t id) { return id >= 0 && self.holds(id); });
           })
      .def(
          "insert",
          [](Tree& self, Ids ids, In points) {
            nb::gil_scoped_release release;
            self.insert(ids.data(), rows(points));
          },
          "ids"_a.noconvert(), "points"_a.noconvert())
      .def(
          "remove",
          [](Tree& self, Ids ids) {
            nb::gil_scoped_release release;
            self.remove(ids.data(), ids.shape(0));
          },
          "ids"_a.noconvert())
      .def(
          "move",
          [](Tree& self, Ids ids, In points) {
            nb::gil_scoped_release release;
            self.move(ids.data(), rows(points));
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
              nb::gil_scoped_release release;
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
              nb::gil_scoped_release release;
              reports = self.proposed_to(rows(normals), offsets.data(), n_ids);
            }
            return as_tuple(std::move(reports), n_ids);
          },
          "normals"_a.noconvert(), "offsets"_a.noconvert(), "n_ids"_a)
      .def(
          "count",
          [](Tree& self, In normals, Vector<const T> offsets) {
            nb::gil_scoped_release release;
            return self.count(rows(normals), offsets.data());
          },
          "normals"_a.noconvert(), "offsets"_a.noconvert());
}

}  // namespace

void bind_halfspace(nb::module_& m) {
  nb::class_<TreeWork>(m, "TreeWork")
      .def(nb::init<>())
      .def_ro("nodes", &TreeWork::nodes)
      .def_ro("tested", &TreeWork::tested)
      .def_ro("decided", &TreeWork::decided)
      .def_ro("placed", &TreeWork::placed);
  bind<float>(m);
  bind<double>(m);
}

}  // namespace fewfire

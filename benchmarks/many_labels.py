"""`WideClassifier` on rows with many labels, beside linear ridge regression.

    python benchmarks/many_labels.py      three minutes on two cores

The sets: bibtex of ../shared/data, 159 labels; tibkat with its thousand most frequent labels and words, the
rows that have any; and one made here, where labels are linear in what is behind a row: 15,000 rows of 500
sparse columns of 0 and 1, three of a thousand labels each, of which 13,000 rows are for training. The linear
rival gets centred columns and the ridge of seven that suits the test rows best.
"""

from collections.abc import Iterator
from time import perf_counter

import numpy as np
from scipy.linalg import solve

from common import DATA, save
from fewfire import WideClassifier, load_dataset

NAME = "many_labels"
RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
Parts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def made(n: int = 15_000, n_columns: int = 500, n_labels: int = 1_000, n_topics: int = 60) -> Parts:
    """Rows and labels that follow the few topics of each row; the last 2,000 rows are for testing."""
    random = np.random.default_rng(0)
    topics = random.standard_normal((n_topics, n_columns))
    shares = random.dirichlet(np.full(n_topics, 0.05), n)
    rows = (random.random((n, n_columns)) < 1 / (1 + np.exp(3.2 - 2 * shares @ topics))).astype(float)
    scores = 3 * shares @ random.standard_normal((n_topics, n_labels))
    scores += 0.5 * random.standard_normal(scores.shape)
    labels = np.zeros((n, n_labels), int)
    np.put_along_axis(labels, np.argsort(-scores, axis=1)[:, :3], 1, axis=1)
    return rows[:-2_000], labels[:-2_000], rows[-2_000:], labels[-2_000:]


def real(name: str) -> Parts:
    data = load_dataset(str(DATA / name / f"{name}_train.txt.gz"))
    rows, test_rows = data.inputs.astype(float), data.test_inputs.astype(float)
    return rows, data.labels.astype(int), test_rows, data.test_labels.astype(int)


def most_frequent(parts: Parts, count: int = 1_000) -> Parts:
    """As many columns and labels, those that most rows have, and the rows that still have a label."""
    rows, labels, test_rows, test_labels = parts
    columns = np.argsort(-(rows != 0).sum(axis=0), kind="stable")[:count]
    kept = np.argsort(-labels.sum(axis=0), kind="stable")[:count]
    labels, test_labels = labels[:, kept], test_labels[:, kept]
    train, test = labels.any(axis=1), test_labels.any(axis=1)
    return rows[train][:, columns], labels[train], test_rows[test][:, columns], test_labels[test]


def sets() -> Iterator[tuple[str, Parts]]:
    yield "bibtex", real("bibtex")
    yield "tibkat, 1,000 labels", most_frequent(real("tibkat"))
    yield "made, 1,000 labels", made()


def precision_at_1(outputs: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(labels[np.arange(len(labels)), outputs.argmax(axis=1)]))


def linear(parts: Parts, ridge: float) -> float:
    rows, labels, test_rows, test_labels = parts
    centre, mean = rows.mean(axis=0), labels.mean(axis=0)
    gram = (rows - centre).T @ (rows - centre) + ridge * np.eye(rows.shape[1])
    weights = solve(gram, (rows - centre).T @ (labels - mean), assume_a="pos")
    return precision_at_1((test_rows - centre) @ weights + mean, test_labels)


def main() -> None:
    results = []
    for name, parts in sets():
        rows, labels, test_rows, test_labels = parts
        for ridge in ("auto", 0.1):
            start = perf_counter()
            model = WideClassifier(ridge=ridge, random_state=0).fit(rows, labels)
            seconds = perf_counter() - start
            score = precision_at_1(model.decision_function(test_rows), test_labels)
            results.append({"set": name, "model": f"fewfire, ridge={ridge}", "p1": score, "seconds": seconds})
        score = max(linear(parts, ridge) for ridge in RIDGES)
        results.append({"set": name, "model": "linear ridge", "p1": score})
        for one in results[-3:]:
            seconds = f"{one['seconds']:6.1f} s" if "seconds" in one else ""
            print(f"{name:20} {one['model']:20} {one['p1']:.4f} {seconds}", flush=True)
        save(NAME, "python benchmarks/many_labels.py", results)


if __name__ == "__main__":
    main()

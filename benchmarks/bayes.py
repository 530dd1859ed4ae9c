"""Do intervals cover what they say, does the first order agree with sampling, and how long does it all take?

    python benchmarks/bayes.py      about four minutes on two cores, 1 GB

- Coverage of the 90 % intervals of WideRegressor on test rows of ten regression sets, three splits each.
- The first order of deep, weakly nonlinear networks beside networks that are drawn layer by layer.
- Seconds of the first order, of a table of evidence, and of the kernel width of a wide network.
"""

from time import perf_counter
from typing import Any

import numpy as np
from scipy.special import logsumexp

from common import DATA, save
from fewfire import Inputs, TwoLayerNetwork, WideRegressor
from fewfire.data import load_dataset
from fewfire.diagnose import evidence, finite_width
from fewfire.prepare import InputScaling

FOLDER = DATA / "pmlb_regression"
MOST_ROWS, SPLITS, TEST = 1000, 3, 0.25
DRAWN = ((-0.3, 16), (-0.3, 32), (0.1, 16), (0.2, 16), (0.2, 32))


def regression_sets() -> list[Any]:
    return sorted(path for path in FOLDER.iterdir() if path.suffix in (".csv", ".gz", ".tsv", ".txt", ".npz"))


def coverage() -> list[dict[str, Any]]:
    found = []
    for path in regression_sets():
        dataset = load_dataset(str(path), task="regression")
        rows = np.concatenate([dataset.rows, dataset.test_rows])
        values = np.concatenate([dataset.labels, dataset.test_labels]).ravel()
        shares, widths = [], []
        for split in range(SPLITS):
            order = np.random.default_rng(split).permutation(len(rows))[:MOST_ROWS]
            test = order[: int(TEST * len(order))]
            train = order[len(test) :]
            model = WideRegressor(width=2048, n_members=1, random_state=split).fit(rows[train], values[train])
            mean, deviation = model.predict(rows[test], return_std=True)
            shares.append(np.abs(values[test] - mean) <= 1.645 * deviation)
            widths.append(2 * 1.645 * np.median(deviation) / values.std())
        found.append({"set": path.name.split(".")[0], "rows": len(order),
                      "covered": float(np.concatenate(shares).mean()),
                      "width, of deviations": float(np.mean(widths))})  # fmt: skip
        print(found[-1])
        if len(found) == 10:
            break
    return found


def sampled(rows: np.ndarray, y: np.ndarray, width: int, depth: int, psi: float) -> tuple[float, float]:
    random, paths, size = np.random.default_rng(0), 1500, len(y)
    covariances = np.repeat((rows @ rows.T / rows.shape[1])[None], paths, axis=0)
    for _ in range(depth):
        hidden = random.standard_normal((paths, width, size)) @ np.linalg.cholesky(covariances).transpose(
            0, 2, 1
        )
        hidden += psi / (3 * depth) * hidden**3
        covariances = hidden.transpose(0, 2, 1) @ hidden / width
    damped = covariances + 0.1 * np.eye(size)
    logs = np.einsum("i,pij,j->p", y, np.linalg.inv(damped), y) + np.linalg.slogdet(damped)[1]
    logs = -(logs + size * np.log(2 * np.pi)) / 2
    shares = np.exp(logs - logs.max())
    return float(logsumexp(logs) - np.log(paths)), float(shares.std() / shares.mean() / paths**0.5)


def first_orders() -> list[dict[str, Any]]:
    random, found = np.random.default_rng(0), []
    rows, y = random.standard_normal((3, 30)), random.standard_normal(3)
    for psi, depth in DRAWN:
        ours = evidence(rows, y, width=400, depth=depth, psi=psi, noise=0.1)
        expected, error = sampled(rows, y, 400, depth, psi)
        found.append({"psi": psi, "depth": depth, "leading": ours.leading, "first order": ours.log,
                      "sampled": expected, "standard error": error})  # fmt: skip
        print(found[-1])
    return found


def timings() -> list[dict[str, Any]]:
    random, found = np.random.default_rng(0), []
    for samples in (200, 500, 2000):
        rows, y = random.standard_normal((samples, 2 * samples)), random.standard_normal(samples)
        begin = perf_counter()
        evidence(rows, y, width=100_000, depth=4, psi=-0.2)
        found.append({"what": f"first order, P = {samples}", "seconds": perf_counter() - begin})
        print(found[-1])
    rows, y = random.standard_normal((200, 400)), random.standard_normal(200)
    begin = perf_counter()
    for depth in (1, 2, 4, 8):
        for psi in (-0.4, -0.2, -0.1, 0.1, 0.2):
            for noise in (0.01, 0.03, 0.1, 0.3, 1.0):
                evidence(rows, y, width=10_000, depth=depth, psi=psi, noise=noise)
    found.append({"what": "table of 4 depths, 5 psi, 5 noises, P = 200", "seconds": perf_counter() - begin})
    print(found[-1])
    dataset = load_dataset(str(DATA / "fashion_mnist"))
    units = InputScaling.fit(dataset.inputs[:1000], standardize=False).transform(dataset.inputs[:1000])
    targets = np.eye(10)[dataset.labels[:1000].astype(int)]
    network = TwoLayerNetwork.initialize(65_536, units.shape[1], 10)
    begin = perf_counter()
    wide = finite_width(network, Inputs.of(units), targets - targets.mean(axis=0))
    found.append({"what": "kernel width at 65,536, P = 1,000", "seconds": perf_counter() - begin,
                  "kernel width": wide.kernel_width, "standard error": wide.standard_error})  # fmt: skip
    print(found[-1])
    return found


if __name__ == "__main__":
    figures = {"first order": first_orders(), "timings": timings(), "coverage": coverage()}
    save("bayes", "python benchmarks/bayes.py", figures)

"""Files of earlier versions are read, to the weights and predictions that they were written with.

`python tests/release/test_old_files.py` writes those of this version, before a minor version is released.
"""

from pathlib import Path

import numpy as np
import pytest

import fewfire
from fewfire import DeepNetwork, TwoLayerNetwork, WideClassifier, WideRegressor
from fewfire.halfspace import HalfspaceReporter
from fewfire.report import report
from fewfire.runs import RunFolder, TrainOptions, train_run

HERE = Path(__file__).parent
FOLDERS = sorted(HERE.glob("files_of_*"))
OWN = HERE / f"files_of_{'.'.join(fewfire.__version__.split('.')[:2])}"
NETWORKS = {"two_layer": TwoLayerNetwork, "deep": DeepNetwork}
ESTIMATORS = {"classifier": WideClassifier, "regressor": WideRegressor}
PLANE = ([1.0, -1.0, 0.5], 0.2)


def table(count: int) -> np.ndarray:
    """Two numbers, one of them with gaps, and a category between them."""
    values = np.sin(np.arange(3.0 * count)).reshape(count, 3).round(6).astype(object)
    values[:, 1] = np.where(values[:, 1] > 0, "red", "blue")
    values[::7, 2] = np.nan
    return values


def pixels() -> np.ndarray:
    """Rows that might be digits of 8 x 8 pixels."""
    return np.floor(8 + 8 * np.sin(np.arange(640.0))).reshape(10, 64)


def write(folder: Path) -> None:
    """One file of each kind, a run folder, and what they answer."""
    folder.mkdir()
    inputs = np.sin(np.arange(30.0, dtype=np.float32)).reshape(10, 3)
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    expected = {"inputs": inputs}
    networks = {
        "two_layer": TwoLayerNetwork.initialize(32, 3, 2, threshold=0.5, seed=0),
        "deep": DeepNetwork.initialize((16, 8), 3, 2, threshold=0.5, seed=0),
    }
    for name, network in networks.items():
        network.save(folder / f"{name}.safetensors")
        expected[name] = fewfire.predict(network, inputs)
    reporter = HalfspaceReporter(np.sin(np.arange(60.0)).reshape(20, 3))
    reporter.delete([3, 5])
    reporter.save(folder / "points.safetensors")
    expected["reported"] = reporter.report(*PLANE)
    rows = table(60)
    values = rows[:, 0].astype(float) + (rows[:, 1] == "red")
    targets = {"classifier": np.where(values > 0.5, "much", "little"), "regressor": values}
    for name, kind in ESTIMATORS.items():
        estimator = kind(width=64, random_state=0).fit(rows[:40], targets[name][:40])
        estimator.save(folder / f"{name}.safetensors")
        expected[name] = estimator.predict(rows[40:])
    run = folder / "run"
    train_run(TrainOptions(data="digits", width=64, epochs=2, out=run))
    expected["run"] = RunFolder(run).load_model().outputs(pixels())
    np.savez(folder / "expected.npz", **expected)


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request) -> Path:
    return request.param


@pytest.fixture
def expected(folder) -> dict[str, np.ndarray]:
    return dict(np.load(folder / "expected.npz"))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_answers_as_it_did(folder, expected, name):
    network = NETWORKS[name].load(folder / f"{name}.safetensors")
    np.testing.assert_allclose(fewfire.predict(network, expected["inputs"]), expected[name], rtol=1e-6)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_predicts_as_it_did(folder, expected, name):
    predicted = ESTIMATORS[name].load(folder / f"{name}.safetensors").predict(table(60)[40:])
    if name == "classifier":
        assert predicted.tolist() == expected[name].tolist()
    else:
        np.testing.assert_allclose(predicted, expected[name], rtol=1e-5)


def test_a_reporter_has_its_points_under_their_ids(folder, expected):
    reporter = HalfspaceReporter.load(folder / "points.safetensors")
    assert reporter.report(*PLANE).tolist() == expected["reported"].tolist()


def test_a_run_is_shown_and_predicts(folder, expected):
    run = RunFolder(folder / "run")
    np.testing.assert_allclose(run.load_model().outputs(pixels()), expected["run"], rtol=1e-5, atol=1e-6)
    assert "<svg" in report([run.load_run()])


def test_a_version_that_is_released_has_left_its_files():
    assert OWN in FOLDERS or ".dev" in fewfire.__version__


if __name__ == "__main__":
    write(OWN)

"""Real data sets, where the folder that holds them lies beside the repository."""

from pathlib import Path

import numpy as np
import pytest

from fewfire.data import load_dataset, load_inputs
from fewfire.prepare import Features, InputScaling

FOLDER = (Path(__file__).parents[2] / ".." / "shared" / "data").resolve()
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the data sets are not in {FOLDER}")


def test_fashion_mnist():
    dataset = load_dataset(FOLDER / "fashion_mnist")
    assert (dataset.inputs.shape, dataset.test_inputs.shape) == ((60_000, 784), (10_000, 784))
    assert dataset.inputs.dtype == np.uint8
    assert dataset.inputs.mean() / 255 == pytest.approx(0.2860, abs=5e-5)
    assert np.bincount(dataset.labels).tolist() == [6000] * 10
    fitted = InputScaling.fit(dataset.inputs, standardize=dataset.tabular)
    assert fitted.transform(dataset.test_inputs).shape == (10_000, 785)


@pytest.mark.parametrize(
    ("path", "shape", "classes", "n_last"),
    [
        ("banknote/banknote_authentication.csv", (1372, 4), [0, 1], 610),
        ("htru2/HTRU_2.csv", (17_898, 8), [0, 1], 1639),
        ("a9a/a9a", (32_561, 123), [-1, 1], 7841),
        ("pmlb_classification/banana.tsv.gz", (5300, 2), [-1, 1], 2376),
        ("pmlb_classification/wine_recognition.tsv.gz", (178, 13), [1, 2, 3], 48),
    ],
)
def test_sets_in_one_file(path, shape, classes, n_last):
    dataset = load_dataset(FOLDER / path)
    labels = np.concatenate([dataset.labels, dataset.test_labels])
    assert (len(labels), dataset.inputs.shape[1]) == shape
    assert len(dataset.test_labels) == round(0.2 * len(labels))
    assert np.unique(labels).tolist() == classes
    assert np.count_nonzero(labels == classes[-1]) == n_last
    assert dataset.tabular


def test_the_test_file_of_a9a_lacks_the_last_feature():
    inputs, labels, _ = load_inputs(FOLDER / "a9a" / "a9a.t", Features(123))
    assert inputs.shape == (16_281, 123)
    assert not inputs[:, 122].any()
    assert np.count_nonzero(labels == 1) == 3846

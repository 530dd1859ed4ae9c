"""What needs scikit-learn: the built-in digits, and the message where it is absent."""

import subprocess
import sys

import numpy as np
import pytest

from fewfire.data.digits import read_digits
from fewfire.data.svmlight import read_svmlight
from fewfire.errors import DataError


def test_the_digits():
    inputs, labels, _ = read_digits()
    assert inputs.shape == (1797, 64)
    assert (inputs.min(), inputs.max()) == (0, 16)
    np.testing.assert_array_equal(np.unique(labels), np.arange(10))


@pytest.mark.parametrize(
    ("read", "purpose"),
    [(read_digits, "The built-in digits"), (lambda: read_svmlight("a.svm"), "An svmlight file")],
)
def test_without_scikit_learn_the_message_says_what_to_install(monkeypatch, read, purpose):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=rf"{purpose} needs .* pip install 'fewfire\[sklearn\]'"):
        read()


def test_importing_the_room_does_not_import_scikit_learn():
    code = "import sys, fewfire.data; sys.exit('sklearn' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)

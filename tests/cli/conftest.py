"""A trained network that several tests look at."""

import pytest
from command import Ended, train_digits

from fewfire.run_folder import RunFolder


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory) -> tuple[RunFolder, Ended]:
    """A run on the digits, not to be changed, and how its command ended."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    ended = train_digits(folder)
    assert ended.code == 0, ended.err
    return RunFolder(folder), ended

"""What tests of the estimators share."""

import pytest

from fewfire.estimators import common


@pytest.fixture
def methods(monkeypatch):
    """The methods of all trainers that are planned."""
    seen, plan = [], common.plan_trainer

    def planned(*given, **settings):
        seen.append(type(settings["method"]).__name__)
        return plan(*given, **settings)

    monkeypatch.setattr(common, "plan_trainer", planned)
    return seen

"""Wide networks behind scikit-learn's API. Needs the extra `sklearn`."""

from fewfire.estimators.common import WideClassifier, WideRegressor

__all__ = ["WideClassifier", "WideRegressor"]

"""Wide networks behind scikit-learn's API. Needs the extra `sklearn`."""

from fewfire.estimators.classifier import WideClassifier
from fewfire.estimators.regressor import WideRegressor

__all__ = ["WideClassifier", "WideRegressor"]

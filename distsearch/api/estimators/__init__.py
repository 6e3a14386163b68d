"""scikit-learn estimators that search: what grid searches, pipelines and calibration are given."""

from distsearch.api.estimators.classifier import SearchClassifier
from distsearch.api.estimators.regressor import SearchRegressor

__all__ = ["SearchClassifier", "SearchRegressor"]

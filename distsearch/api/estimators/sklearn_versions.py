"""What differs between the versions of scikit-learn that are supported."""

from typing import Any

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # before 1.6 it was a method

    def validate_data(estimator: Any, /, *arrays: Any, **options: Any) -> Any:
        """X, or X and y, checked; the estimator learns the number and the names of the features, or checks them."""
        return estimator._validate_data(*arrays, **options)


__all__ = ["validate_data"]

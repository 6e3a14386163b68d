"""The race over networks without gradients: `scripts/benchmark-peers nondiff`."""

"""Training on the metric that is reported, compared with tuning for it after training."""

"""Searches as jobs of a Ray cluster: Ray's own job service does the work, here is what goes there and comes back."""

"""Searches as jobs on a Ray cluster: Ray's job service does the work; this sends searches and fetches runs back."""

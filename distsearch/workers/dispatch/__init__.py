"""Decides which worker does what and when, and what to do if it does not; carried out elsewhere."""

"""Candidates: the weights of many at once, and how to apply a layer of each."""

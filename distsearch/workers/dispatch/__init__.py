"""Which worker does what, when, and what if it does not: decided here, carried out elsewhere."""

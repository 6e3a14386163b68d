"""Who may ask: what Python users call."""

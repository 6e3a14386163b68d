"""Training data: examples read from files or arrays, checked, split and scaled."""

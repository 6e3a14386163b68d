"""Networks, layer by layer."""

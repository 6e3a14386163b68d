"""What is trained: networks, layer by layer."""

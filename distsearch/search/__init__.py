"""What moves: the loop of a search."""

"""What scores candidates: a network on data under a loss, or a function of the user's own."""

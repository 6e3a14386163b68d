"""What is tried: weights of many candidates at once, and how a layer of theirs is applied."""

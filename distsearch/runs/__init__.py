"""What is kept: a run's directory, its files and their formats."""

"""Run directories: their files and formats."""

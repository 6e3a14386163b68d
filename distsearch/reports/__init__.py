"""What is shown: results as text and tables for other programs."""

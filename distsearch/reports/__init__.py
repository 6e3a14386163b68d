"""Reports: results as text and tables for other programs."""

"""What writes `docs/_generated`: tables and pictures, taken from the code."""

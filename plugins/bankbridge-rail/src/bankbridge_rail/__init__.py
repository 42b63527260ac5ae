"""Rail for bankbridge."""

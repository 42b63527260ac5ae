"""The pure middle: what a refresh's story means. No clock, randomness, I/O or logging in here."""

"""``bankbridge doctor``: what is right with an installation, what is not, and the remedy."""

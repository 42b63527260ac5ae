"""``bankbridge demo``: both providers emulated on loopback, their whole range played, each outcome held against the truth."""

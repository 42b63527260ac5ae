"""``bankbridge demo``: the whole range of each provider, emulated, each outcome held against the truth."""

"""``bankbridge replay``: what today's translation would have said of what is stored."""

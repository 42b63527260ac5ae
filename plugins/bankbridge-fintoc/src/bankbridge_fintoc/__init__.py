"""Fintoc for bankbridge."""

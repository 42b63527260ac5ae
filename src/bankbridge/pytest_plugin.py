"""Fixtures for the tests of applications: an emulator of each provider."""

"""Listener hears what customers say and tells the right team in time."""

__version__ = "0.1.0"

"""Logos: the words that ask for one, and the sizes that it comes in."""

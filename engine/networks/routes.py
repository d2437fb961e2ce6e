"""The three kinds of picture that are traced differently, and scores over them."""

LOGO, ILLUSTRATION, LINE_ART = "logo", "illustration", "line_art"
ROUTES = (LOGO, ILLUSTRATION, LINE_ART)

Scores = dict[str, float]
"""Probability (0..1) per route of `ROUTES`; they sum to 1."""

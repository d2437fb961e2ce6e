"""Colour: spaces, palettes and snapping an image to a palette."""

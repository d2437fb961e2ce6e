"""Vehicles: how well an illustration keeps the outline of the photo, and how strongly it is held to it."""

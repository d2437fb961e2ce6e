"""Tiles: one grid, cutting by it, and joining again in linear light."""

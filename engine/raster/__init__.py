"""Pixels: alpha, resizing, background and gradient detection."""

"""Handing over results: at least once, in the background, with an id to tell repetitions."""

from .worker import Deliveries

__all__ = ["Deliveries"]

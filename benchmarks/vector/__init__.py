"""Fidelity and cost of the vectorize pipeline against plain tracers, on public icons whose drawing is known."""

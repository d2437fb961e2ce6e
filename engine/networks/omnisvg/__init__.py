"""OmniSVG (Yang et al., 2025, "OmniSVG: A Unified Scalable Vector Graphics Generation Model"): drawings as tokens."""

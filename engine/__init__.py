"""What the nodes do, in Python, NumPy and torch; knows nothing of ComfyUI."""

"""What `install.py` does: the private host, the weights, the check. Standard library only."""

"""Training a style: which pictures it is learned from, in which stages, and the weights that come of it."""

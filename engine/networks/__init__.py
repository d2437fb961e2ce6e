"""What a neural network does with its weights: router and upscaler."""

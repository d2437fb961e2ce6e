"""Virtual try-on: the frame that a person is dressed in, the words for the model, and its three modes."""

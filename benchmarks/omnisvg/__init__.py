"""How fast drawings are written, against `generate` of transformers on the same weights."""

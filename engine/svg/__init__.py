"""SVG: document, safe parsing, rendering, measuring, gate and finish."""

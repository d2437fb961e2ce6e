"""Three pictures of the pack's own become SVGs in a real ComfyUI: `python -m demo`."""

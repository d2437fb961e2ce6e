"""Qwen2.5-VL as a captioner: what is in each of many pictures, as words for a diffusion model."""

"""Qwen2.5-VL (Bai et al., 2025): what all that is built on it shares: its folder, its chat format, sampling."""

"""HTTP on ComfyUI's own server: jobs, models, probes, and the five old servers' addresses. `attach` puts them there."""

"""LaMa (Suvorov et al., 2022, "Resolution-robust Large Mask Inpainting with Fourier Convolutions"): filling holes."""

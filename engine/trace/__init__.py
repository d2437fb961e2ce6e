"""From raster to paths: VTracer behind one adapter, and the refit of its outlines."""

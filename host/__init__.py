"""ComfyUI glue: sockets to arrays, progress and cancel, reports, model folders and memory."""

"""The server's model files over HTTP: listed, uploaded in chunks that may be resumed, downloaded, deleted."""

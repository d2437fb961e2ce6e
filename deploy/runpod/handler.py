"""RunPod starts this: see docs/deploy.md. Locally: python deploy/runpod/handler.py --rp_serve_api"""

import signal
import sys

import runpod

from vectrahub_client.runpod import Worker

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception it stops the host, too
    with Worker.from_environment(runpod.serverless.progress_update) as worker:
        runpod.serverless.start({"handler": worker.handle})

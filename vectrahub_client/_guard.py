"""Runs inside the private host's own interpreter: ComfyUI's main.py, tied to the life of its client.

    python _guard.py RUN_DIRECTORY MAIN.PY [ARGUMENTS OF MAIN.PY ...]

Standard input is a pipe whose other end only the client holds. When it closes, the client is gone, however it
went (even by SIGKILL), and so goes this process with its children and its run directory. Standard library only,
no imports of the package: the host's environment need not have it.
"""

import os
import runpy
import shutil
import signal
import sys
import threading


def _die_with_client(run_directory: str) -> None:
    # os.read, not sys.stdin: a daemon thread inside a buffered read aborts the interpreter when it shuts down.
    while os.read(0, 1):
        pass
    shutil.rmtree(run_directory, ignore_errors=True)
    if hasattr(os, "getsid") and os.getsid(0) == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(3)


def main() -> None:
    run_directory, script = sys.argv[1], sys.argv[2]
    threading.Thread(target=_die_with_client, args=(run_directory,), name="client-guard", daemon=True).start()
    sys.argv = sys.argv[2:]
    sys.path[0] = os.path.dirname(script)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()

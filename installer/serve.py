"""`install.py serve`: the prepared host in a browser, until Ctrl-C."""

import os
import socket
import subprocess
import sys

from .cache import InstallError, say

_ASK = "import torch; print(torch.cuda.is_available() or torch.backends.mps.is_available())"


def serve(host: dict[str, str], first_port: int) -> int:
    """Runs ComfyUI on loopback on the first free port from `first_port` on. Returns its exit code."""
    port = _free_port(first_port)
    seen = subprocess.run([host["python"], "-c", _ASK], capture_output=True, text=True, check=False)
    command = [host["python"], "main.py", "--base-directory", host["base"], "--port", str(port)]
    # By default the database lies in ComfyUI's own tree, which several checkouts share.
    command += ["--database-url", f"sqlite:///{host['base']}/user/comfyui.db"]
    command += ["--disable-auto-launch"] if seen.stdout.strip() == "True" else ["--disable-auto-launch", "--cpu"]
    say(f"starting ComfyUI; open http://127.0.0.1:{port} in a browser, Templates -> vectrahub; Ctrl-C ends it")
    if sys.platform == "win32":
        return subprocess.run(command, cwd=host["comfyui"], check=False).returncode
    os.chdir(host["comfyui"])
    os.execv(command[0], command)


def _free_port(first: int) -> int:
    for port in range(first, min(first + 20, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise InstallError(f"Ports {first} to {first + 19} of 127.0.0.1 are all taken. Name another: --port N")

"""The private host: a ComfyUI that belongs to one client and ends with it.

Each start gets a run directory of its own (log, outputs, temporary files) that is removed at the end, so that two
clients can use one prepared host at the same time.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from .errors import HostFailed
from .host_config import HostConfig

START_TIMEOUT = 240.0  # seconds; a first start on a slow disk compiles torch's Python files
_STOP_GRACE = 5.0


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _has_gpu() -> bool:
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")) or (
        os.name == "nt" and shutil.which("nvidia-smi") is not None
    )


class PrivateHost:
    """One ComfyUI process. Use it as a context manager; on entry it starts and waits until it answers.

    Attributes: `url`, `port`, `base`, `run_directory`, `output`, `log`, `pid` (None when not running).
    `base` overrides that of the configuration; `run_directory` is then kept, where one is given. `environ`: that of the
    process, None = ours.
    """

    def __init__(
        self,
        config: HostConfig,
        *,
        port: int | None = None,
        base: Path | None = None,
        run_directory: Path | None = None,
        args: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        timeout: float = START_TIMEOUT,
    ) -> None:
        self.config = config
        self.port = port or 0
        self.base = base or config.base
        self._own_run_directory = run_directory is None
        self.run_directory = run_directory
        self._args = list(args)
        self._environ = environ
        self._timeout = timeout
        self._fixed_port = port is not None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> Path:
        return self._run / "output"

    @property
    def log(self) -> Path:
        return self._run / "host.log"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def _run(self) -> Path:
        if self.run_directory is None:
            raise HostFailed("the private host was not started")
        return self.run_directory

    def __enter__(self) -> PrivateHost:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait for the first answer. Raises HostFailed with the end of the log; nothing is left then."""
        if self.run_directory is None:
            self.run_directory = Path(tempfile.mkdtemp(prefix="vectrahub-host-"))
        for folder in (self.output, self.base):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            for last_try in (False, True):
                if not self._fixed_port:
                    self.port = free_port()
                self._spawn()
                if self._wait_until_up(may_retry=not last_try and not self._fixed_port):
                    return
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the host and its children, at the latest by force after 5 s. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            self._end(process)
        if self._own_run_directory and self.run_directory is not None:
            shutil.rmtree(self.run_directory, ignore_errors=True)
            self.run_directory = None

    def kill(self) -> None:
        """End the host at once, as a crash would."""
        if self._process is not None:
            self._signal(self._process, force=True)
            self._process.wait()

    def tail(self, lines: int = 25) -> str:
        """The last lines of the host's log."""
        try:
            return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def why_ended(self) -> str | None:
        """None while it runs, else what to tell: `host_ended` of Client."""
        return None if self.pid else f"the private host exited; the end of its log:\n{self.tail()}"

    def command(self) -> list[str]:
        """The command line that `start` runs."""
        config_args = self.config.args
        if config_args is None:
            config_args = () if _has_gpu() else ("--cpu",)
        guard = Path(__file__).with_name("_guard.py").resolve()
        return [
            *(str(self.config.python), str(guard), str(self._run), str(self.config.comfyui / "main.py")),
            *("--listen", "127.0.0.1", "--port", str(self.port), "--base-directory", str(self.base)),
            *("--output-directory", str(self.output), "--temp-directory", str(self._run)),
            # Its database would lie in ComfyUI's own folder, locked by the first of two hosts.
            *("--database-url", "sqlite:///:memory:", "--disable-auto-launch", "--disable-api-nodes"),
            *config_args,
            *self._args,
        ]

    def _spawn(self) -> None:
        # A session of its own keeps a terminal's Ctrl-C from the host: the client cancels the job first.
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.config.comfyui,
                env={
                    **(os.environ if self._environ is None else self._environ),
                    "PYTHONUNBUFFERED": "1",
                    "PYTHONIOENCODING": "utf-8",
                },
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=os.name != "nt",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )

    def _wait_until_up(self, may_retry: bool) -> bool:
        process = self._process
        deadline = time.monotonic() + self._timeout
        with httpx.Client(base_url=self.url, trust_env=False, timeout=5.0) as http:
            while process is not None and process.poll() is None:
                if time.monotonic() > deadline:
                    raise HostFailed(f"the private host did not answer within {self._timeout:.0f} s\n{self.tail()}")
                if self._answers(http):
                    return True
                time.sleep(0.2)
        log = self.tail()
        if may_retry and "address already in use" in log.lower():
            return False
        raise HostFailed(f"the private host ended while starting\n{log}")

    def _answers(self, http: httpx.Client) -> bool:
        try:
            stats = http.get("/system_stats").raise_for_status().json()
            # Another program may have taken the port in between: its arguments are not ours.
            return str(self._run) in " ".join(stats["system"]["argv"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return False

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        self._signal(process, force=False)
        try:
            process.wait(_STOP_GRACE)
        except subprocess.TimeoutExpired:
            pass
        self._signal(process, force=True)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()

    @staticmethod
    def _signal(process: subprocess.Popen[bytes], *, force: bool) -> None:
        if os.name == "nt":
            if process.poll() is None:
                process.kill() if force else process.terminate()
            return
        try:
            # The whole session: a node may have left children behind, also when the host itself has ended.
            os.killpg(process.pid, signal.SIGKILL if force else signal.SIGTERM)
        except (ProcessLookupError, PermissionError):
            pass

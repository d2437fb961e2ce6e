"""What a headless client meets sooner or later: lost connections, dead servers, Ctrl-C, being killed."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from vectrahub.tests.client.conftest import Cli, cli_command, cli_environment
from vectrahub.tests.client.graphs import empty_to_png, save, slow
from vectrahub.tests.client.test_on_host import wait_until_idle
from vectrahub.tests.host_fixture import ROOT, RunningHost
from vectrahub.vectrahub_client import Client, Event, Patience
from vectrahub.vectrahub_client.errors import HostFailed, JobLost, ServerLost
from vectrahub.vectrahub_client.host_config import HostConfig
from vectrahub.vectrahub_client.host_process import PrivateHost, free_port


class Proxy:
    """A TCP proxy before a server, whose connections can be cut and that can be closed for new ones."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.websockets_accepted = 0
        self.refuse_websockets = False
        self._pairs: list[tuple[socket.socket, socket.socket, bool]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, *, only_websockets: bool = True) -> int:
        """Cut what is open; the number of connections."""
        cut = 0
        for near, far, is_websocket in list(self._pairs):
            if is_websocket or not only_websockets:
                cut += 1
                for end in (near, far):
                    with suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
        return cut

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut(only_websockets=False)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, suppress(OSError):
            head = near.recv(65536)
            is_websocket = head.startswith(b"GET /ws")
            if is_websocket and self.refuse_websockets:
                return
            self.websockets_accepted += is_websocket
            with socket.create_connection(("127.0.0.1", self.target)) as far:
                far.sendall(head)
                pair = (near, far, is_websocket)
                self._pairs.append(pair)
                back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
                back.start()
                self._pump(near, far)
                back.join()
                self._pairs.remove(pair)

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(host: RunningHost) -> Iterator[Proxy]:
    between = Proxy(host.port)
    yield between
    between.close()


def on_first_progress(act: Callable[[], object]) -> tuple[list[Event], Callable[[Event], None]]:
    events: list[Event] = []

    def listen(event: Event) -> None:
        if event.kind == "progress" and not any(other.kind == "progress" for other in events):
            act()
        events.append(event)

    return events, listen


def test_a_cut_websocket_comes_back_and_the_job_finishes(proxy: Proxy) -> None:
    cuts: list[int] = []
    events, listen = on_first_progress(lambda: cuts.append(proxy.cut()))
    with Client(proxy.url) as client:
        result = client.run(slow(6), on_event=listen, timeout=240)
    kinds = [event.kind for event in events]
    assert cuts == [1] and proxy.websockets_accepted == 2
    assert kinds.index("connection_lost") < kinds.index("connection_back") < kinds.index("done")
    assert "progress" in kinds[kinds.index("connection_back") :]  # it resumes, it does not only wait for the end
    assert len(result.files) == 1


def test_the_job_finishes_without_any_websocket(proxy: Proxy) -> None:
    proxy.refuse_websockets = True
    with Client(proxy.url) as client:
        result = client.run(slow(0.5), timeout=240)
    assert len(result.files) == 1 and proxy.websockets_accepted == 0


def test_every_connection_cut_again_and_again(proxy: Proxy) -> None:
    over = threading.Event()
    cuts: list[int] = []

    def cutter() -> None:
        while len(cuts) < 7 and not over.wait(0.4):  # not for ever: on a slow machine no answer would come through
            cuts.append(proxy.cut(only_websockets=False))

    thread = threading.Thread(target=cutter)

    def begin(event: Event) -> None:
        if event.kind == "queued":
            thread.start()

    try:
        with Client(proxy.url) as client:
            result = client.run(slow(3), on_event=begin, timeout=240)
    finally:
        over.set()
        thread.join()
    assert len(result.files) == 1 and sum(cuts) > 0


def test_an_address_that_goes_away_is_server_lost(proxy: Proxy, host: RunningHost) -> None:
    _, listen = on_first_progress(proxy.close)
    with Client(proxy.url, patience=Patience(gone=2)) as client, pytest.raises(ServerLost, match="no answer for"):
        client.run(slow(6), on_event=listen, timeout=120)
    wait_until_idle(host)


def test_a_server_that_accepts_and_says_nothing(host: RunningHost) -> None:
    """A frozen server, for which nothing but patience helps: bounded all the same."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Client(f"http://127.0.0.1:{silent.getsockname()[1]}", patience=Patience(silent=1))
        client._http._client.timeout = httpx.Timeout(0.5)
        with client, pytest.raises(ServerLost):
            client.run(empty_to_png())


@pytest.mark.parametrize("server", ["http://127.0.0.1:{port}", "127.0.0.1:{port}"])
def test_no_server_is_exit_3(server: str, cli: Cli, tmp_path: Path) -> None:
    workflow = save(empty_to_png(), tmp_path / "w.json")
    done = cli("run", workflow, "--server", server.format(port=free_port()))
    assert done.returncode == 3 and "no ComfyUI answers" in done.stderr
    done = cli("run", workflow, "--json", COMFYUI_URL=server.format(port=free_port()))
    assert done.returncode == 3 and json.loads(done.stdout)["error"] == "no_server"


def test_something_else_than_comfyui_is_exit_3(cli: Cli, tmp_path: Path) -> None:
    def other() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                near.recv(65536)
                near.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
                near.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=other, daemon=True).start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        done = cli("run", save(empty_to_png(), tmp_path / "w.json"), "--server", address)
        listener.shutdown(socket.SHUT_RDWR)
    assert done.returncode == 3 and "not a ComfyUI" in done.stderr, done.stderr


def test_no_private_host_is_exit_3_and_says_what_to_do(cli: Cli, tmp_path: Path) -> None:
    workflow = save(empty_to_png(), tmp_path / "w.json")
    done = cli("run", workflow, VECTRAHUB_HOST=str(tmp_path / "absent.json"))
    assert done.returncode == 3 and "install.py host" in done.stderr


def test_a_private_host_that_cannot_start_says_why(host_config: HostConfig, tmp_path: Path) -> None:
    config = HostConfig(host_config.python, host_config.comfyui, tmp_path / "base", ("--no-such-option",))
    with pytest.raises(HostFailed, match="no-such-option"):
        PrivateHost(config).start()


def _hear_interrupts() -> None:
    # A shell starts its background jobs with interrupts ignored, and tests may be such a job.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class CliRun:
    """The command line in the background; its JSON lines as they come."""

    def __init__(self, *arguments: object, **environment: str) -> None:
        self.process = subprocess.Popen(
            cli_command(*arguments, "--json"),
            cwd=ROOT,
            env=cli_environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_hear_interrupts,
        )
        self._lines: queue.Queue[dict[str, object] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def until(self, event: str, seconds: float = 240) -> dict[str, object]:
        deadline = time.monotonic() + seconds
        while line := self._lines.get(timeout=max(0.1, deadline - time.monotonic())):
            if line["event"] == event:
                return line
        raise AssertionError(f"it ended without {event!r}: {self.process.stderr and self.process.stderr.read()}")

    def end(self, seconds: float = 120) -> int:
        return self.process.wait(seconds)


@contextmanager
def running(*arguments: object, **environment: str) -> Iterator[CliRun]:
    run = CliRun(*arguments, **environment)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.wait()
        for stream in (run.process.stdout, run.process.stderr):
            if stream:
                stream.close()


def test_ctrl_c_cancels_the_running_job(host: RunningHost, tmp_path: Path) -> None:
    with running("run", save(slow(600), tmp_path / "w.json"), "--server", host.url) as run:
        prompt_id = run.until("progress")["prompt_id"]
        run.process.send_signal(signal.SIGINT)
        assert run.end() == 130
        assert run.until("error")["error"] == "interrupted"
    wait_until_idle(host)
    job = httpx.get(f"{host.url}/api/jobs/{prompt_id}", trust_env=False, timeout=60).json()
    assert job["status"] == "cancelled"


def test_ctrl_c_takes_a_waiting_job_from_the_queue(host: RunningHost, tmp_path: Path) -> None:
    first = save(slow(600), tmp_path / "first.json")
    with running("run", first, "--server", host.url) as ahead:
        ahead.until("progress")
        with running("run", save(slow(600), tmp_path / "w.json"), "--server", host.url) as waiting:
            waiting.until("queued")
            waiting.process.send_signal(signal.SIGINT)
            assert waiting.end() == 130
            left = httpx.get(f"{host.url}/queue", trust_env=False, timeout=60).json()
            assert (len(left["queue_running"]), left["queue_pending"]) == (1, [])
        ahead.process.send_signal(signal.SIGTERM)  # and a polite kill does the same
        assert ahead.end() == 143
    wait_until_idle(host)


@pytest.fixture
def own_host_json(host_config: HostConfig, tmp_path: Path) -> Path:
    """A host.json whose base has the slow node; so the command line starts a host of its own."""
    packs = tmp_path / "base" / "custom_nodes"
    packs.mkdir(parents=True)
    (packs / "slow_node").symlink_to(ROOT / "tests" / "host" / "packs" / "slow_node")
    base = {"python": str(host_config.python), "comfyui": str(host_config.comfyui), "base": str(packs.parent)}
    if host_config.args is not None:
        base["args"] = list(host_config.args)  # type: ignore[assignment]
    return save(base, tmp_path / "host.json")


def host_processes(base: Path) -> list[int]:
    """The processes that were started with this base directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if str(base).encode() in (entry / "cmdline").read_bytes() and (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def gone(base: Path, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while host_processes(base):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


needs_proc = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes in /proc")


@needs_proc
def test_the_private_host_ends_with_its_client(own_host_json: Path, tmp_path: Path) -> None:
    temporary, base = tmp_path / "tmp", tmp_path / "base"
    temporary.mkdir()
    workflow = save(slow(600), tmp_path / "w.json")
    with running("run", workflow, VECTRAHUB_HOST=str(own_host_json), TMPDIR=str(temporary)) as run:
        run.until("progress")
        assert len(host_processes(base)) == 1 and list(temporary.glob("vectrahub-host-*"))
        run.process.send_signal(signal.SIGINT)
        assert run.end() == 130
        assert gone(base)
    assert not list(temporary.glob("vectrahub-host-*"))  # with its log, outputs and temporary files


@needs_proc
def test_a_killed_client_takes_its_processes_along(tmp_path: Path) -> None:
    """What SIGKILL leaves to the guard: any program stands for the host here, with a child of its own."""
    script, run_directory, marker = tmp_path / "main.py", tmp_path / "run", tmp_path / "marker"
    run_directory.mkdir()
    script.write_text(
        "import subprocess, sys, time\n"
        f"child = [sys.executable, '-c', 'import time; time.sleep(600)', {str(marker)!r}]\n"
        "subprocess.Popen(child)\nprint('up', sys.argv[1:], __name__, flush=True)\ntime.sleep(600)\n"
    )
    guard = ROOT / "vectrahub_client" / "_guard.py"
    client = (
        "import subprocess, sys, time\n"
        f"command = [sys.executable, {str(guard)!r}, {str(run_directory)!r}, {str(script)!r}, '--x', {str(marker)!r}]\n"
        "subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", client], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"up ['--x', '{marker}'] __main__\n"
        assert len(host_processes(marker)) >= 2
        process.kill()
    assert gone(marker)
    assert not run_directory.exists()


def test_a_server_that_forgets_and_one_that_is_killed(
    boot_host: Callable[..., RunningHost], host: RunningHost, tmp_path: Path
) -> None:
    own = boot_host(packs=("slow_node",), with_vectrahub=False)
    between = Proxy(own.port)

    def change_servers() -> None:
        between.target = host.port  # which, like a restarted server, never heard of the job
        between.cut(only_websockets=False)

    _, listen = on_first_progress(change_servers)
    with Client(between.url) as client, pytest.raises(JobLost, match="restarted"):
        client.run(slow(6), on_event=listen, timeout=120)
    between.close()

    wait_until_idle(own)

    def kill(event: Event) -> None:
        if event.kind == "queued":
            own.kill()

    with running("run", save(slow(600), tmp_path / "w.json"), "--server", own.url) as other:
        other.until("progress")
        patience = Patience(gone=600, silent=600)  # whoever owns the process need not wait for it to end
        with Client(own.url, host_ended=own.why_ended, patience=patience) as client:
            with pytest.raises(ServerLost, match=r"(?s)private host exited.*got prompt"):
                client.run(slow(600), on_event=kill, timeout=120)
        assert other.end() == 3
        assert other.until("error")["error"] == "server_lost"

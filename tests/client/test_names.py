from __future__ import annotations

import os
from pathlib import Path

import pytest

from vectrahub.vectrahub_client._names import distinct_names, safe_name, write_whole
from vectrahub.vectrahub_client.errors import OutputError

HOSTILE = [
    "../../etc/passwd",
    "..",
    ".",
    "",
    "/",
    "/etc/passwd",
    "..\\..\\boot.ini",
    "C:\\x\\y.png",
    "a\x00b.png",
    "a\nb.png",
    ".hidden",
    "con.svg",
    "NUL",
    "name.",
    "name ",
    "x" * 5000 + ".png",
    "x." + "y" * 5000,
    "\U0001f600" * 300 + ".svg",
    "a:b*c?.png",
    "\ud800.png",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leaves_the_folder(name: str, tmp_path: Path) -> None:
    safe = safe_name(name)
    written = write_whole(tmp_path / safe, lambda stream: stream.write(b"x"), replace=False)
    assert written.resolve().parent == tmp_path.resolve()
    assert [path.name for path in tmp_path.iterdir()] == [written.name]
    assert not safe.startswith(".") and safe_name(safe) == safe


@pytest.mark.parametrize("name", ["logo.png", "my logo \U0001f680.svg", "Zoë_00001_.png", "a.b.c.png", "[x] (2).png"])
def test_a_harmless_name_stays(name: str) -> None:
    assert safe_name(name) == name


def test_outputs_are_named_after_inputs_and_never_collide() -> None:
    sources = [Path(name) for name in ("a.png", "x/a.jpg", "A.webp", "a-2.png", "b.c.png", "my \U0001f600.png")]
    names = distinct_names(sources, ".svg")
    assert names == ["a.svg", "a-2.svg", "A-3.svg", "a-2-2.svg", "b.c.svg", "my \U0001f600.svg"]
    assert len({name.casefold() for name in names}) == len(names)


def test_replacing_and_keeping(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.svg"
    for text in (b"one", b"two"):
        assert write_whole(target, lambda stream, text=text: stream.write(text), replace=True) == target
    assert target.read_bytes() == b"two"
    second = write_whole(target, lambda stream: stream.write(b"three"), replace=False)
    assert second.name == "a-2.svg" and target.read_bytes() == b"two"


def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.svg"
    target.write_bytes(b"old")

    def broken(stream: object) -> None:
        stream.write(b"half")  # type: ignore[attr-defined]
        raise RuntimeError("cut")

    with pytest.raises(RuntimeError):
        write_whole(target, broken, replace=True)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.svg"]


def test_what_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write"):
        write_whole(tmp_path / "file" / "a.svg", lambda stream: stream.write(b""), replace=True)

import io
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from vectrahub.installer.cache import InstallError
from vectrahub.installer.comfyui import unpack

INSIDE = PurePosixPath("top/vendor/ComfyUI")


def archive(folder: Path, *members: tarfile.TarInfo) -> Path:
    path = folder / "source.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            body = b"print('hello')\n" if member.isreg() else b""
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def test_only_the_wanted_folder_is_unpacked(tmp_path):
    path = archive(tmp_path, member("top/setup.py"), member(f"{INSIDE}/main.py"), member(f"{INSIDE}/comfy/ops.py"))
    unpack(path, INSIDE, tmp_path / "tree")
    files = sorted(str(file.relative_to(tmp_path / "tree")) for file in (tmp_path / "tree").rglob("*.py"))
    assert files == ["comfy/ops.py", "main.py"]


@pytest.mark.parametrize(
    "bad",
    [
        member(f"{INSIDE}/../../../escaped.py"),
        member("../escaped.py"),
        member("/tmp/escaped.py"),
        member(f"{INSIDE}/..\\escaped.py"),
        member(f"{INSIDE}/C:escaped.py"),
        member(f"{INSIDE}/link", tarfile.SYMTYPE, "/etc/passwd"),
        member(f"{INSIDE}/hard", tarfile.LNKTYPE, f"{INSIDE}/main.py"),
        member(f"{INSIDE}/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.name}-{info.type.decode()}",
)
def test_what_could_leave_the_folder_is_refused(tmp_path, bad):
    path = archive(tmp_path, member(f"{INSIDE}/main.py"), bad)
    with pytest.raises(InstallError, match="not unpacked"):
        unpack(path, INSIDE, tmp_path / "a" / "b" / "tree")
    assert not list(tmp_path.rglob("escaped.py"))


def test_an_archive_without_the_folder_is_refused(tmp_path):
    with pytest.raises(InstallError, match="has no"):
        unpack(archive(tmp_path, member("top/setup.py")), INSIDE, tmp_path / "tree")

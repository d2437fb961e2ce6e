"""Fetching a file of the model hub: resumable, hash verified, with a progress bar."""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .cache import InstallError, file_sha256
from .catalogue import HubFile


@dataclass(frozen=True)
class Offer:
    """What the hub says of a file before a byte of it is fetched. `sha256` is "" where the hub states none."""

    file: HubFile
    source: str
    location: str
    size: int
    tag: str
    sha256: str

    def part(self, place: Path) -> Path:
        """The file that holds what has arrived, named by the content's tag so that another run goes on with it."""
        return place.with_name(f"{place.name}.{re.sub('[^0-9A-Za-z]', '', self.tag)[:16] or 'untagged'}.part")

    @property
    def length(self) -> int:
        """Bytes of room that it takes, by the hub's answer and by the record."""
        return max(self.size, self.file.size if self.file.exact else 0)

    def still_to_come(self, place: Path) -> int:
        """Bytes that are not yet here."""
        part = self.part(place)
        return max(0, self.length - (part.stat().st_size if part.is_file() else 0))


def ask(file: HubFile) -> Offer:
    """Raises InstallError if the hub cannot be reached or states another hash than the one on record."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    source = hf_hub_url(file.repo, file.path, revision=file.revision)
    try:
        offered = get_hf_file_metadata(source)
    except _failures() as problem:
        raise InstallError(f"The model hub does not answer for {source}: {problem}") from problem
    tag = offered.etag or ""
    stated = tag if re.fullmatch(r"[0-9a-f]{64}", tag) else ""
    if file.sha256 and stated and stated != file.sha256:
        raise InstallError(f"{source} now holds another file: SHA-256 {stated}, on record {file.sha256}.")
    size = file.size if offered.size is None else offered.size
    return Offer(file, source, offered.location, size, tag, stated)


def download(offer: Offer, place: Path) -> str:
    """Fetches what is offered to `place` and returns the file's SHA-256.

    What is not whole is in `offer.part(place)`. huggingface_hub's own hf_hub_download (2.4) starts again from
    nothing after a killed run; its http_get does go on, so that is used here. Raises InstallError if the hub cannot
    be reached, offers another length than the one on record, or the file arrives damaged; then no .part is left.
    """
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    file = offer.file
    if file.exact and offer.size != file.size:
        raise InstallError(f"{offer.source} now holds another file: {offer.size} bytes, on record {file.size}.")
    headers = build_hf_headers()
    if urlsplit(offer.location).netloc != urlsplit(offer.source).netloc:
        headers.pop("authorization", None)  # the hub's token is not for the storage behind it

    part = offer.part(place)
    try:
        with part.open("ab") as stream:
            already = stream.tell()
            if already:
                print(f"going on after {already} bytes", file=sys.stderr)
            http_get(
                offer.location,
                stream,
                resume_size=already,
                headers=headers,
                expected_size=offer.size,
                displayed_filename=file.name,
            )
    except _failures() as problem:
        raise InstallError(f"{file.name} did not arrive whole ({problem}). Run this again to go on.") from problem

    digest = file_sha256(part)
    expected = file.sha256 or offer.sha256 or digest
    if digest != expected:
        part.unlink()
        raise InstallError(f"{file.name} arrived with SHA-256 {digest}, on record {expected}; it was removed.")
    os.replace(part, place)
    return digest


def _failures() -> tuple[type[Exception], ...]:
    """What a network may raise; which HTTP library's errors they are depends on huggingface_hub's version."""
    loaded = (sys.modules.get(name) for name in ("httpx", "httpx2"))
    return (OSError, *(module.HTTPError for module in loaded if module))

"""Fetching one file of the model hub: resumable, hash verified, with a progress bar."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .cache import InstallError, file_sha256

if TYPE_CHECKING:
    from .models import Weights


def download(weights: "Weights", place: Path) -> str:
    """Fetches `weights` to `place` and returns the file's SHA-256.

    What is not whole is in a .part file beside it, named by the content's tag on the hub, so that another
    run goes on with it. huggingface_hub's own hf_hub_download (2.4) starts again from nothing after a
    killed run; its http_get does go on, so that is used here. Raises InstallError if the hub cannot be
    reached, offers another file than the one on record, or the file arrives damaged; then no .part is left.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    source = hf_hub_url(weights.repo, weights.path, revision=weights.revision)
    failures = (OSError, *_network_errors())
    try:
        offered = get_hf_file_metadata(source)
    except failures as problem:
        raise InstallError(f"The model hub does not answer for {source}: {problem}") from problem
    tag = offered.etag or ""
    tag_is_hash = re.fullmatch(r"[0-9a-f]{64}", tag) is not None
    if weights.sha256 and tag_is_hash and tag != weights.sha256:
        raise InstallError(f"{source} now holds another file: SHA-256 {tag}, on record {weights.sha256}.")
    headers = build_hf_headers()
    if urlsplit(offered.location).netloc != urlsplit(source).netloc:
        headers.pop("authorization", None)  # the hub's token is not for the storage behind it

    part = place.with_name(f"{place.name}.{re.sub('[^0-9A-Za-z]', '', tag)[:16] or 'untagged'}.part")
    try:
        with part.open("ab") as stream:
            already = stream.tell()
            if already:
                print(f"going on after {already} bytes", file=sys.stderr)
            http_get(
                offered.location,
                stream,
                resume_size=already,
                headers=headers,
                expected_size=offered.size,
                displayed_filename=weights.file,
            )
    except failures as problem:
        raise InstallError(f"{weights.file} did not arrive whole ({problem}). Run this again to go on.") from problem

    digest = file_sha256(part)
    expected = weights.sha256 or (tag if tag_is_hash else digest)
    if digest != expected:
        part.unlink()
        raise InstallError(f"{weights.file} arrived with SHA-256 {digest}, on record {expected}; it was removed.")
    os.replace(part, place)
    return digest


def _network_errors() -> tuple[type[Exception], ...]:
    """The HTTP library's own errors; which library it is depends on huggingface_hub's version."""
    loaded = (sys.modules.get(name) for name in ("httpx", "httpx2"))
    return tuple(module.HTTPError for module in loaded if module)

"""Signatures: of callbacks, as the Standard Webhooks specification has them, and of links to results.

A callback carries `webhook-id`, `webhook-timestamp` (seconds since the epoch) and `webhook-signature`, which is
`v1,` and the base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`. The key is the secret's own bytes (UTF-8), or what
follows `whsec_`, base64 decoded.

A link carries `name`, `dir`, `expires` (seconds since the epoch) and `sig`, the lower-case hex of HMAC-SHA256, keyed
by the secret's bytes (UTF-8), over these lines, with one line feed between two and none at the end:

    vectrahub-link-1
    LENGTH:NAME
    LENGTH:DIR
    EXPIRES

LENGTH is the number of bytes of what follows the colon, in UTF-8, so that no two links share a text. This is our own
definition: the scheme of the file proxy that it takes the place of was never published.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Mapping

from ...errors import UsageError

TOLERANCE_S = 300.0


def webhook_key(secret: str) -> bytes:
    """The key that a secret stands for. Raises UsageError for `whsec_` with broken base64, or an empty key."""
    try:
        known = secret.startswith("whsec_")
        key = base64.b64decode(secret[6:], validate=True) if known else secret.encode("utf-8", "surrogatepass")
    except binascii.Error:
        key = b""
    if not key:
        raise UsageError("the secret of callbacks is empty, or no base64 after whsec_; give another one")
    return key


def webhook_headers(message_id: str, timestamp: int, body: bytes, secret: str | None) -> dict[str, str]:
    """The headers of a callback; without a secret it is not signed. Raises UsageError as `webhook_key`."""
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if secret is not None:
        headers["webhook-signature"] = _webhook_signature(message_id, str(timestamp), body, webhook_key(secret))
    return headers


def verify(
    headers: Mapping[str, str], body: bytes, secret: str, *, now: float | None = None, tolerance_s: float = TOLERANCE_S
) -> bool:
    """For receivers: whether a callback was signed with the secret, at most `tolerance_s` ago (or ahead).

    `headers` may be of any case. Several signatures, apart by spaces, may be there while a secret is changed.
    """
    found = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = found.get("webhook-id", ""), found.get("webhook-timestamp", "")
    if not message_id or not re.fullmatch(r"[0-9]{1,15}", timestamp, re.ASCII):
        return False
    if abs((time.time() if now is None else now) - int(timestamp)) > tolerance_s:
        return False
    right = _webhook_signature(message_id, timestamp, body, webhook_key(secret))
    given = found.get("webhook-signature", "").split()
    return any([_same(one, right) for one in given])  # a list: all are compared


def _webhook_signature(message_id: str, timestamp: str, body: bytes, key: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode("utf-8", "surrogatepass") + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def sign_link(name: str, folder: str, expires: int, secret: str) -> str:
    """`sig` of a link to `name` in `folder` (its `dir`) until `expires`: 64 hex digits."""
    lines = (b"vectrahub-link-1", _measured(name), _measured(folder), str(int(expires)).encode())
    key = secret.encode("utf-8", "surrogatepass")
    return hmac.new(key, b"\n".join(lines), hashlib.sha256).hexdigest()


def check_link(name: str, folder: str, expires: int, signature: str, secret: str, *, now: float | None = None) -> bool:
    """Whether a link was signed with the secret and has not expired, in a time that does not tell where it differs."""
    valid = _same(signature, sign_link(name, folder, expires, secret))
    return valid and (time.time() if now is None else now) < expires


def _measured(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return b"%d:%s" % (len(data), data)


def _same(given: str, right: str) -> bool:
    # As bytes: compare_digest refuses text that is not ASCII.
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())

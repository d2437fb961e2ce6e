"""The pack's own logger: ComfyUI's way, or lines of text or JSON that say which request and job they are about."""

from __future__ import annotations

import json
import logging
import re
from contextvars import ContextVar
from datetime import datetime, timezone

from typing_extensions import override

from .settings import Log

LOGGER = logging.getLogger("vectrahub")

# Set by the door and by runners; what they start (tasks, asyncio.to_thread) inherits them.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
job_id: ContextVar[str | None] = ContextVar("job_id", default=None)

# A token's id is no secret, and is what one looks for.
_TOKEN = re.compile(r"(vh_[0-9a-f]+_)[A-Za-z0-9_\-]+")


def configure(log: Log) -> None:
    """Log as the settings say. May be called again; without a format only secrets are masked.

    With a format the lines go to stderr, and no longer to ComfyUI's log.
    """
    deconfigure()
    LOGGER.addFilter(_Context())
    if not log.format:
        return
    handler = _Handler()
    handler.setFormatter(_JsonLines() if log.format == "json" else _TextLines())
    LOGGER.addHandler(handler)
    LOGGER.setLevel(log.level)
    LOGGER.propagate = False


def deconfigure() -> None:
    """Undo `configure`."""
    for one in [one for one in LOGGER.filters if isinstance(one, _Context)]:
        LOGGER.removeFilter(one)
    for handler in [one for one in LOGGER.handlers if isinstance(one, _Handler)]:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(logging.NOTSET)
        LOGGER.propagate = True


def masked(text: str) -> str:
    """The text with `***` for the secret part of every token in it."""
    return _TOKEN.sub(r"\1***", text)


class _Handler(logging.StreamHandler):
    """A type of our own, to find it again."""


class _Context(logging.Filter):
    """Masks secrets in message and traceback, and notes request and job where the record is made."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = masked(record.getMessage()), None
        if record.exc_info and record.exc_info[0]:
            record.exc_text = masked(logging.Formatter().formatException(record.exc_info))
        record.request_id, record.job_id = request_id.get(), job_id.get()
        return True


class _TextLines(logging.Formatter):
    @override
    def format(self, record: logging.LogRecord) -> str:
        about = [str(value) for value in (_noted(record, "request_id"), _noted(record, "job_id")) if value]
        # One line per message, whatever a client wrote into a name that is shown in it.
        message = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        line = " ".join([_time(record), record.levelname, *([f"[{' '.join(about)}]"] if about else []), message])
        return f"{line}\n{record.exc_text}" if record.exc_text else line


class _JsonLines(logging.Formatter):
    @override
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record),
            "level": record.levelname,
            "message": record.getMessage(),
            "request_id": _noted(record, "request_id"),
            "job_id": _noted(record, "job_id"),
            "exception": record.exc_text,
        }
        return json.dumps({key: value for key, value in line.items() if value is not None})


def _noted(record: logging.LogRecord, name: str) -> str | None:
    return getattr(record, name, None)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

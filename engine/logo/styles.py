"""The styles of logos: a table that people may extend and change, checked as it is read."""

import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import BadInput

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_STYLE = "minimal"
MAX_NAME = 40  # characters
MAX_PHRASE = 400  # characters
MAX_PHRASES = 12
MAX_FILE = 256 * 1024  # bytes

_SHIPPED = Path(__file__).with_name("styles.toml")
_TEXTS, _LISTS = ("description", "palette"), ("phrases", "wordless")


@dataclass(frozen=True)
class Style:
    """One row of the table; styles.toml says what its columns mean."""

    name: str
    description: str = ""
    phrases: tuple[str, ...] = ()
    wordless: tuple[str, ...] = ()
    palette: str = ""


def shipped_styles() -> dict[str, Style]:
    """Name -> style, as they come with the pack; DEFAULT_STYLE is the first."""
    return _with_tables({}, _SHIPPED)


def styles_with(own: Path) -> dict[str, Style]:
    """The shipped styles with those of the file `own`, if there is one: added, or changed key by key.

    Raises BadInput, naming the file and the line or key, for one that cannot be used, and nothing else: a host asks
    for the styles whenever it lists its nodes.
    """
    shipped = shipped_styles()
    return _with_tables(shipped, own) if _is_there(own) else shipped


def style_named(name: str, styles: Mapping[str, Style]) -> Style:
    """Raises BadInput, listing the known ones, for a name that is not among them."""
    if name not in list(styles):  # a graph may hold anything here, also what cannot be a key
        raise BadInput(
            "Unknown style", value=repr(name), limit=", ".join(styles), remedy="Choose one, or add it to the table."
        )
    return styles[name]


def _with_tables(known: Mapping[str, Style], file: Path) -> dict[str, Style]:
    styles = dict(known)
    for name, table in _tables(file).items():
        _check(name, table, file)
        given = {key: tuple(value) if key in _LISTS else value for key, value in table.items()}
        style = replace(styles.get(name, Style(name)), **given)
        if not style.phrases:
            raise _wrong(file, f", style {name!r}", "no phrases", "at least one phrase", 'Add: phrases = ["..."]')
        styles[name] = style
    return styles


def _tables(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE + 1)
    except OSError as problem:
        raise _unreadable(file, problem) from problem
    if len(data) > MAX_FILE:
        raise _wrong(file, "", f"over {MAX_FILE} bytes", f"{MAX_FILE} bytes", "Keep only your styles in it.")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))  # Notepad begins a file with a mark
    except UnicodeDecodeError as problem:
        where = f"byte {problem.start}"
        raise _wrong(file, "", f"{where} is not UTF-8", "UTF-8 text", "Save it as UTF-8.") from problem
    except tomllib.TOMLDecodeError as problem:
        raise _wrong(file, "", str(problem), "TOML", "Correct that line, or remove the file.") from problem
    except (ValueError, RecursionError) as problem:  # thousands of digits, or of brackets within each other
        value = "a number too long or brackets too deep to read"
        raise _wrong(file, "", value, "tables of texts", "Remove that value, or the file.") from problem


def _is_there(file: Path) -> bool:
    """Raises BadInput for what cannot be looked at and for what is no file: a pipe would keep the reader waiting."""
    try:
        mode = file.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as problem:
        raise _unreadable(file, problem) from problem
    if not stat.S_ISREG(mode):
        raise _wrong(file, "", "a folder, pipe or device", "a file", "Put a text file there, or remove it.")
    return True


def _check(name: str, table: object, file: Path) -> None:
    place = f", style {name[:MAX_NAME]!r}"
    if not isinstance(table, dict):
        raise _wrong(
            file, f", key {name[:MAX_NAME]!r}", _kind(table), "tables of styles", f"Begin a style with a line [{name}]."
        )
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise _wrong(file, place, f"a name of {len(name)} characters", f"1 to {MAX_NAME} printable", "Rename it.")
    for key, value in table.items():
        where = f"{place}, key {key[:MAX_NAME]!r}"
        if key in _TEXTS:
            texts = [value]
        elif key in _LISTS:
            texts = value if isinstance(value, list) else [None]
        else:
            raise _wrong(file, place, f"the key {key[:MAX_NAME]!r}", ", ".join(_TEXTS + _LISTS), "Rename or remove it.")
        if len(texts) > MAX_PHRASES:
            raise _wrong(file, where, f"{len(texts)} phrases", f"{MAX_PHRASES} phrases", "Join or remove some.")
        for text in texts:
            if not isinstance(text, str):
                form = '["...", "..."]' if key in _LISTS else '"..."'
                got, limit = _kind(value if text is None else text), "text" if key in _TEXTS else "a list of texts"
                raise _wrong(file, where, got, limit, f"Write {form}.")
            if len(text) > MAX_PHRASE or (key in _LISTS and not text.strip()):
                limit = f"1 to {MAX_PHRASE} characters"
                raise _wrong(file, where, f"{len(text)} characters", limit, "Shorten or fill it.")


def _kind(value: object) -> str:
    """Not the value itself: of a number of 5000 digits or of tables within each other repr raises, too."""
    kinds = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return kinds.get(type(value), "a date or time")


def _unreadable(file: Path, problem: OSError) -> BadInput:
    return _wrong(file, "", problem.strerror or str(problem), "a readable file", "Make it readable, or remove it.")


def _wrong(file: Path, where: str, value: str, limit: str, remedy: str) -> BadInput:
    return BadInput(f"The logo styles of {file} cannot be used{where}", value=value, limit=limit, remedy=remedy)

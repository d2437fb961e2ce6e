"""The styles of logos as this ComfyUI has them: the shipped table and the user's own file."""

import hashlib
from pathlib import Path

import folder_paths

from ..engine.errors import BadInput
from ..engine.logo.styles import Style, shipped_styles, style_named, styles_with


def styles_file() -> Path:
    """Where a user's own styles are looked for; the file need not exist."""
    return Path(folder_paths.get_user_directory(), "vectrahub", "logo_styles.toml")


def style_options() -> list[str]:
    """The names to choose from. The host asks anew whenever it lists nodes or checks a graph.

    A file that cannot be used never takes the node away: then these are the shipped ones, and the run says why.
    """
    try:
        return list(styles_with(styles_file()))
    except BadInput:
        return list(shipped_styles())


def chosen_style(name: str) -> Style:
    """Raises BadInput for a file that cannot be used, with its name, and for a style that is not in the table."""
    return style_named(name, styles_with(styles_file()))


def style_problem(name: str) -> str:
    """Why a graph with that style need not be run at all, "" if it may be."""
    if name in style_options():
        return ""  # a damaged file is told by the run, under the node
    try:
        chosen_style(name)
    except BadInput as problem:
        return str(problem)
    return ""


def style_state(name: str | None) -> str:
    """Changes when what the table says of that style does, or of any style where it is not known yet (linked)."""
    try:
        styles = styles_with(styles_file())
        said = repr(styles if name is None else styles.get(name))
    except BadInput as problem:
        said = str(problem)
    return hashlib.sha256(said.encode()).hexdigest()

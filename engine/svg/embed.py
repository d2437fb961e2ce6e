"""Text that travels inside a drawing."""

from xml.sax.saxutils import escape

from .safe import safe_bytes


def with_metadata(svg: bytes, text: str) -> bytes:
    """The drawing with `text`, escaped, in a `metadata` element at its beginning.

    The drawing is sanitised. Characters that XML cannot hold are left out of the text.
    """
    clean = safe_bytes(svg).decode()
    readable = "".join(
        c for c in text if c in "\t\n\r" or " " <= c < "\ud800" or "\ue000" <= c < "\ufffe" or c > "\uffff"
    )
    metadata = f"<metadata>{escape(readable)}</metadata>"
    # In a sanitised file the first '>' ends the root's tag: within attribute values it is '&gt;'.
    head, _, rest = clean.partition(">")
    if head.endswith("/"):
        return f"{head[:-1]}>{metadata}</svg>\n".encode()
    return f"{head}>\n{metadata}{rest}".encode()

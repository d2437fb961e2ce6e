"""ComfyUI's node classes, by their ids.

Its module for them is called like a room of this pack; this is the one place that imports it.
"""

from typing import Any

import nodes


def node_class(node_id: str) -> Any:
    """The class of a registered node, of ComfyUI or any pack. Raises KeyError for one that is not there."""
    return nodes.NODE_CLASS_MAPPINGS[node_id]  # pyright: ignore[reportAttributeAccessIssue]

"""Test-only node: what the nodes of a job have become while it ran."""

import json


def _named(value):
    return type(value).__name__


class TestExpansion:
    """An output node that shows, as JSON, every node that an expansion has made by the time `after` is there:

    {its id: {"class_type", "inputs", "parent"}}, links as the host holds them, objects by the name of their class.
    """

    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ()
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        return {"required": {"after": ("IMAGE",)}, "hidden": {"prompt": "DYNPROMPT"}}

    @classmethod
    def IS_CHANGED(cls, **_inputs):  # noqa: N802
        return float("nan")

    def run(self, after, prompt):
        made = {
            name: {**prompt.get_node(name), "parent": prompt.get_parent_node_id(name)}
            for name in prompt.all_node_ids()
            if prompt.get_parent_node_id(name) is not None
        }
        return {"ui": {"expansion": [json.dumps(made, sort_keys=True, default=_named)]}}

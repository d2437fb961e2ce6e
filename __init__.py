"""VectraHub: production image work in ComfyUI, from a picture to a clean SVG."""

WEB_DIRECTORY = "./js"


async def comfy_entrypoint():  # noqa: ANN201  (the host's type exists only inside the host)
    # Imported here: a relative import at module level breaks pytest in a checkout
    # whose folder name is not an identifier.
    from .nodes import VectraHubExtension
    from .routes.attach import attach

    attach()
    return VectraHubExtension()

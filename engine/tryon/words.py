"""What the model is told. "Picture 1" and "Picture 2" are the names that the text encoder gives the images."""

from ..errors import BadInput

PROMPT = (
    "Dress the person in Picture 1 in the garment shown in Picture 2. Take over the whole garment as it is: its shape, "
    "neckline, sleeve length, hem, texture, pattern and colours. Leave the person's face, hair, skin, hands, pose and "
    "the background as they are. Light the garment the way Picture 1 is lit, with natural folds and clean edges."
)
MASK_PROMPT = (
    "The green area in Picture 1 only says whether the garment belongs on the upper or the lower body. It is not the "
    "garment's outline: the garment may be shorter or reach beyond it, and nothing green may remain."
)


def told(prompt: str, mask_prompt: str, is_marked: bool) -> str:
    """The prompt, with what the green means in front of it where there is any. Raises BadInput for no words at all."""
    if not prompt.strip():
        raise BadInput("There is no prompt", value="no words", limit="at least one", remedy=f'Try: "{PROMPT}"')
    parts = [mask_prompt, prompt] if is_marked else [prompt]
    return " ".join(part.strip() for part in parts if part.strip())

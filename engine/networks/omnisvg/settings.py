"""How boldly tokens are drawn, by task: the settings of the released inference code."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """temperature: above 0, lower is safer. top_p: 0..1. top_k: tokens. repetition_penalty: 1 = none."""

    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float


IMAGE = Sampling(temperature=0.3, top_p=0.9, top_k=50, repetition_penalty=1.05)
ICON = Sampling(temperature=0.5, top_p=0.88, top_k=50, repetition_penalty=1.05)
ILLUSTRATION = Sampling(temperature=0.6, top_p=0.9, top_k=60, repetition_penalty=1.03)

# By task: from a picture; from a text, as an icon or as an illustration.
SETTINGS = {"image": IMAGE, "icon": ICON, "illustration": ILLUSTRATION}

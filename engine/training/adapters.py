"""The weights of a LoRA as the host trains and saves them: a dict of tensors, keys by module.

    MODULE.lora_up.weight (out, rank)   MODULE.lora_down.weight (rank, in)   MODULE.alpha ()   of every matrix
    MODULE.diff, MODULE.diff_b (n,)                                  of every norm, of every bias: what is added to it

A matrix gets alpha / rank * up @ down.
"""

import math
import zlib
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from ..errors import BadInput, EngineFailure

Weights = dict[str, Tensor]

UP, DOWN, ALPHA = ".lora_up.weight", ".lora_down.weight", ".alpha"
DIFFERENCES = (".diff", ".diff_b")
_HOST_ALPHA = ".weight.alpha"  # where the host's trainer looks for it when it goes on; it saves it as ALPHA


def new_adapters(matrices: Mapping[str, torch.Size], rank: int, alpha: float, seed: int) -> Weights:
    """Adapters that change nothing yet: up is 0, down uniform within 1 / sqrt(in), from the seed and its module's name.

    As in the reference implementation of LoRA (Hu et al. 2021, arXiv 2106.09685, section 4.1).
    """
    made: Weights = {}
    for module, shape in matrices.items():
        inner = math.prod(shape[1:])
        generator = torch.Generator().manual_seed(zlib.crc32(f"{seed} {module}".encode()))
        made[module + UP] = torch.zeros(shape[0], rank)
        made[module + DOWN] = (torch.rand(rank, inner, generator=generator) * 2 - 1) / math.sqrt(inner)
        made[module + ALPHA] = torch.tensor(float(alpha))
    return made


def for_the_trainer(weights: Weights) -> Weights:
    """The adapters of the matrices as the host's trainer reads them from a file, alpha included."""
    alphas = {key[: -len(ALPHA)] + _HOST_ALPHA: value for key, value in weights.items() if key.endswith(ALPHA)}
    return {**{key: value for key, value in weights.items() if key.endswith((UP, DOWN))}, **alphas}


def differences(weights: Weights) -> Weights:
    """What is added to norms and biases: the host's trainer starts them at 0 whatever it continues."""
    return {key: value for key, value in weights.items() if key.endswith(DIFFERENCES)}


def trained(weights: Weights, alpha: float, before: Weights | None = None) -> Weights:
    """What a stage gave, on the CPU: alpha as it was asked for, norms and biases counted from the first stage on.

    The host's trainer trains alpha too; the effect of that goes into `up`, so that what is saved does the same.
    Raises EngineFailure for values that are no numbers.
    """
    made = {key: value.detach().to("cpu") for key, value in weights.items()}
    broken = next((key for key, value in made.items() if not torch.isfinite(value).all()), None)
    if broken is not None:
        raise EngineFailure(
            f"The weights of {broken} are no numbers any more. Lower 'learning_rate', or set 'training_dtype' to fp32; "
            + ("then train anew." if before is None else "then go on from the last checkpoint.")
        )
    for key in [key for key in made if key.endswith(ALPHA)]:
        up = key[: -len(ALPHA)] + UP
        made[up] = (made[up].float() * (made[key].float() / alpha)).to(made[up].dtype)
        made[key] = torch.tensor(float(alpha), dtype=made[key].dtype)
    for key, value in differences(before or {}).items():
        made[key] = (made[key].float() + value.float()).to(made[key].dtype)
    return {key: value.contiguous() for key, value in sorted(made.items())}


def continued(weights: Weights, alpha: float) -> Weights:
    """The weights of a file with the alpha that is asked for and the effect that they had.

    Raises BadInput for a LoRA under other names or in other shapes than the host's, and for values that are no numbers.
    """
    if not _of_the_host(weights):
        raise BadInput(
            "The LoRA to continue",
            value="a file of another program",
            limit="one that this node, or ComfyUI's own training nodes, made",
            remedy="Choose such a file, or set 'continue_from' to new.",
        )
    broken = next((key for key, value in weights.items() if not torch.isfinite(value).all()), None)
    if broken is not None:
        raise BadInput(
            "The LoRA to continue",
            value=f"{broken} that is no number",
            limit="numbers",
            remedy="Choose an earlier checkpoint, or set 'continue_from' to new.",
        )
    return trained(weights, alpha)


def check_belongs(
    weights: Weights, matrices: Mapping[str, torch.Size], vectors: Mapping[str, torch.Size], rank: int
) -> None:
    """Raises BadInput unless the weights, as `continued` gives them, are of this model and of this rank.

    vectors: shape of every norm and bias, by the key of what is added to it. A file may lack some: they begin at 0.
    """
    found = {
        key[: -len(UP)]: (value.shape[0], weights[key[: -len(UP)] + DOWN].shape[1]) for key, value in _ups(weights)
    }
    strange = sum(shape != found.get(module) for module, shape in _flat(matrices).items())
    strange += len(found.keys() - matrices.keys())
    strange += sum(value.shape != vectors.get(key) for key, value in differences(weights).items())
    if strange:
        raise BadInput(
            "The LoRA to continue belongs to another model",
            value=f"{len(found)} matrices, {strange} names or shapes that differ",
            limit=f"the {len(matrices)} matrices of the connected one",
            remedy="Connect the model that it was trained on.",
        )
    ranks = {value.shape[1] for _, value in _ups(weights)}
    if ranks != {rank}:
        raise BadInput(
            "'rank' is not that of the LoRA to continue",
            value=rank,
            limit=", ".join(map(str, sorted(ranks))),
            remedy="Set it to that: a rank cannot change on the way.",
        )


def _ups(weights: Weights) -> Iterable[tuple[str, Tensor]]:
    return [(key, value) for key, value in weights.items() if key.endswith(UP)]


def _flat(matrices: Mapping[str, torch.Size]) -> dict[str, tuple[int, int]]:
    return {module: (shape[0], math.prod(shape[1:])) for module, shape in matrices.items()}


def _of_the_host(weights: Weights) -> bool:
    """Whether these are whole adapters of at least one matrix, and nothing that the host's trainer would not make."""
    modules = {key[: -len(UP)] for key, _ in _ups(weights)}
    expected = {module + ending for module in modules for ending in (UP, DOWN, ALPHA)}
    if not modules or weights.keys() - differences(weights).keys() != expected:
        return False
    if not all(value.is_floating_point() for value in weights.values()):
        return False
    pairs = [(weights[module + UP], weights[module + DOWN], weights[module + ALPHA]) for module in modules]
    return all(
        up.ndim == down.ndim == 2 and up.shape[1] == down.shape[0] > 0 and alpha.numel() == 1
        for up, down, alpha in pairs
    )

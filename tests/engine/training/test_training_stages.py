"""Where the stages of a training begin and end, and the weights that pass from one to the next."""

from __future__ import annotations

import itertools
import random

import pytest
import torch

from vectrahub.engine.errors import BadInput, EngineFailure
from vectrahub.engine.training.adapters import (
    Weights,
    check_belongs,
    continued,
    differences,
    for_the_trainer,
    new_adapters,
    trained,
)
from vectrahub.engine.training.stages import MOST_CHECKPOINTS, check_name, stage_seed, stages, steps_of

MATRICES = {"a.b": torch.Size((6, 4)), "a.conv": torch.Size((5, 3, 3, 3))}
VECTORS = {"a.norm.diff": torch.Size((3,)), "a.b.diff_b": torch.Size((6,))}


def effect(weights: Weights, module: str) -> torch.Tensor:
    """What the host's loader adds to a matrix."""
    up, down = weights[f"{module}.lora_up.weight"], weights[f"{module}.lora_down.weight"]
    return weights[f"{module}.alpha"] / down.shape[0] * up @ down


def learned(seed: int = 0) -> Weights:
    """As the host's trainer gives them back: everything moved, alpha too."""
    made = new_adapters(MATRICES, 2, 16.0, seed)
    generator = torch.Generator().manual_seed(seed)
    moved = {key: value + torch.rand(value.shape, generator=generator) * 0.1 for key, value in made.items()}
    return {**moved, "a.norm.diff": torch.ones(3), "a.b.diff_b": torch.ones(6)}


@pytest.mark.parametrize("trial", range(50))
def test_the_stages_lie_end_to_end(trial: int) -> None:
    chance = random.Random(trial)
    total = chance.randint(1, 3000)
    every = chance.randint(1 + total // 49, 700)
    done = chance.randrange(total)
    found = stages(done, total, every)
    assert found[0].start == done and found[-1].end == total
    assert all(one.end == other.start for one, other in itertools.pairwise(found))
    assert all(0 < one.steps <= every for one in found)
    assert all(one.end % every == 0 for one in found[:-1])


def test_more_steps_only_add_stages() -> None:
    assert stages(0, 2000, 500) == stages(0, 3000, 500)[:4]


def test_the_number_of_checkpoints_is_limited() -> None:
    assert len(stages(0, 50, 1)) == len(stages(7, 57, 1)) == len(stages(5, 500, 10)) == MOST_CHECKPOINTS == 50
    for done, total, every in ((0, 51, 1), (7, 58, 1), (4, 501, 10), (0, 100_000, 1)):
        with pytest.raises(BadInput, match=r"'checkpoint_every'.*at most 50") as error:
            stages(done, total, every)
        remedy = int(str(error.value).split("Set it to ")[1].split()[0])
        assert len(stages(done, total, remedy)) <= 50


@pytest.mark.parametrize(("done", "total", "every"), [(5, 5, 1), (6, 5, 1), (0, 0, 1), (0, 5, 0), (0, 10**6, 1)])
def test_bad_numbers(done: int, total: int, every: int) -> None:
    with pytest.raises(BadInput):
        stages(done, total, every)


def test_noise_goes_on_over_the_stages() -> None:
    def noise(start: int, end: int) -> list[int]:
        """Seeds of the host's noise, two pictures per step."""
        return [(stage_seed(7, start, 2) + 1000 * i) % 2**64 for i in range((end - start) * 2)]

    assert noise(0, 3) + noise(3, 5) == noise(0, 5)
    assert stage_seed(2**64 - 1, 1, 1) == 999


def test_names() -> None:
    assert steps_of("vectrahub/style_500_steps_00001_.safetensors") == 500
    assert steps_of("250_steps_00001_.safetensors") == 250
    assert steps_of("my_500_steps_1000_steps_00001_.safetensors") == 1000
    assert steps_of("9_steps_/1_steps_4_steps_00001_.safetensors") == 4
    for name in ("style.safetensors", "style_x_steps_1.safetensors", "style500_steps_1"):
        with pytest.raises(BadInput):
            steps_of(name)
    check_name("style")
    check_name("my_steps/style")
    for name in ("a_steps_b", "my_500_steps", "my_steps", "a_steps_/b"):
        with pytest.raises(BadInput, match="'name'"):
            check_name(name)


def test_new_adapters_change_nothing_and_depend_on_the_seed() -> None:
    made = new_adapters(MATRICES, 2, 16.0, 1)
    assert made["a.conv.lora_down.weight"].shape == (2, 27)
    assert all(not effect(made, module).any() for module in MATRICES)
    assert 0.9 / 27**0.5 < made["a.conv.lora_down.weight"].abs().max() <= 1 / 27**0.5
    again, other = new_adapters(MATRICES, 2, 16.0, 1), new_adapters(MATRICES, 2, 16.0, 2)
    assert all((made[key] == again[key]).all() for key in made)
    assert (made["a.b.lora_down.weight"] != other["a.b.lora_down.weight"]).any()
    assert {key: float(value) for key, value in for_the_trainer(made).items() if key.endswith("alpha")} == {
        "a.b.weight.alpha": 16.0,
        "a.conv.weight.alpha": 16.0,
    }


def test_alpha_comes_back_and_the_effect_stays() -> None:
    before = learned()
    copies = {key: value.clone() for key, value in before.items()}
    after = trained(before, 16.0)
    for module in MATRICES:
        assert float(before[f"{module}.alpha"]) != 16.0 == float(after[f"{module}.alpha"])
        assert torch.allclose(effect(before, module), effect(after, module), rtol=1e-5)
    assert all((before[key] == copies[key]).all() for key in before)


def test_norms_and_biases_add_up_and_matrices_do_not() -> None:
    first = trained(learned(), 16.0)
    second = trained(learned(1), 16.0, first)
    assert differences(second).keys() == differences(first).keys() == {"a.norm.diff", "a.b.diff_b"}
    assert all((value == 2).all() for value in differences(second).values())
    assert torch.allclose(second["a.b.lora_up.weight"], trained(learned(1), 16.0)["a.b.lora_up.weight"])


def test_no_numbers_are_never_saved() -> None:
    weights = learned()
    weights["a.conv.lora_down.weight"][0, 0] = torch.nan
    with pytest.raises(EngineFailure, match=r"a\.conv"):
        trained(weights, 16.0)
    with pytest.raises(EngineFailure, match="train anew"):
        trained(weights, 16.0)
    with pytest.raises(EngineFailure, match="last checkpoint"):
        trained(weights, 16.0, learned())


def test_what_can_be_continued() -> None:
    weights = continued(learned(), 8.0)
    assert torch.allclose(effect(weights, "a.b"), effect(learned(), "a.b"), rtol=1e-5)
    check_belongs(weights, MATRICES, VECTORS, 2)
    check_belongs({key: value for key, value in weights.items() if "diff" not in key}, MATRICES, VECTORS, 2)
    with pytest.raises(BadInput, match="'rank'"):
        check_belongs(weights, MATRICES, VECTORS, 4)
    with pytest.raises(BadInput, match="another program"):
        continued({key: value for key, value in learned().items() if not key.endswith(".alpha")}, 8.0)
    with pytest.raises(BadInput, match="another program"):
        continued({}, 8.0)
    with pytest.raises(BadInput, match=r"a\.norm\.diff that is no number"):
        continued({**learned(), "a.norm.diff": torch.full((3,), torch.inf)}, 8.0)


@pytest.mark.parametrize(
    "changed",
    [
        {"a.b.lora_down.weight": torch.zeros(3, 4)},
        {"a.b.lora_up.weight": torch.zeros(6, 2, 1)},
        {"a.b.lora_down.weight": torch.zeros(2, 4, 1, 1)},
        {"a.b.alpha": torch.ones(2)},
        {"a.b.alpha": torch.tensor(3)},
        {"a.b.dora_scale": torch.ones(6)},
        {"a.c.lora_down.weight": torch.zeros(2, 4)},
    ],
)
def test_other_shapes_are_of_another_program(changed: Weights) -> None:
    with pytest.raises(BadInput, match="another program"):
        continued({**learned(), **changed}, 8.0)


@pytest.mark.parametrize(
    ("matrices", "vectors"),
    [
        ({"a.b": torch.Size((6, 4))}, {}),
        ({**MATRICES, "a.c": torch.Size((6, 4))}, {}),
        ({**MATRICES, "a.b": torch.Size((6, 5))}, {}),
        ({**MATRICES, "a.conv": torch.Size((5, 3, 3, 1))}, {}),
        ({**MATRICES, "a.b": torch.Size((7, 4))}, {}),
        (MATRICES, {"a.norm.diff": torch.Size((4,))}),
        (MATRICES, {"a.norm.diff": None}),
    ],
)
def test_weights_of_another_model_are_refused(
    matrices: dict[str, torch.Size], vectors: dict[str, torch.Size | None]
) -> None:
    there = {key: shape for key, shape in {**VECTORS, **vectors}.items() if shape is not None}
    with pytest.raises(BadInput, match="another model"):
        check_belongs(continued(learned(), 8.0), matrices, there, 2)

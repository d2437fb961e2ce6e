"""CLIP with random weights in the real format: names and sizes of tensors, preprocessing, prompts."""

import numpy as np
import pytest
import torch

from vectrahub.engine.errors import BadInput, MissingPart
from vectrahub.engine.networks import router_clip
from vectrahub.engine.networks.router_clip import PROMPTS, ClipClassifier, build, require_package
from vectrahub.engine.networks.routes import ROUTES
from vectrahub.tests.router_drawings import mark, scene
from vectrahub.tests.tiny_clip import write_tiny_clip

needs_open_clip = pytest.mark.skipif(
    router_clip.find_spec("open_clip") is None, reason="the optional package open_clip_torch is not installed"
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    from safetensors.torch import load_file

    path = tmp_path_factory.mktemp("clip") / "tiny.safetensors"
    write_tiny_clip(path)
    return load_file(path)


def test_three_sentences_a_route():
    assert tuple(PROMPTS) == ROUTES
    assert [len(sentences) for sentences in PROMPTS.values()] == [3, 3, 3]


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(router_clip, "find_spec", lambda name: None)
    with pytest.raises(MissingPart, match="pip install open_clip_torch"):
        require_package()


@needs_open_clip
def test_scores_are_the_summed_softmax_of_open_clip_itself(weights):
    import open_clip

    network = build(weights)
    rgb = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)  # the network's own size: no resizing
    scores = ClipClassifier(network, torch.device("cpu"))(rgb, None)

    mean, deviation = (
        torch.tensor(v)[:, None, None] for v in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    )
    pixels = (torch.from_numpy(rgb).permute(2, 0, 1).float() / 255 - mean) / deviation
    tokens = open_clip.tokenize([sentence for route in ROUTES for sentence in PROMPTS[route]])
    with torch.no_grad():
        image, text, scale = network(pixels[None], tokens)
        nine = (scale * image @ text.T).softmax(-1)[0]
    assert list(scores.values()) == pytest.approx(nine.reshape(3, 3).sum(1).tolist(), abs=1e-5)


@needs_open_clip
def test_other_weights_give_other_scores_and_the_same_weights_the_same(weights):
    classify = ClipClassifier(build(weights), torch.device("cpu"))
    assert classify(mark(), None) == classify(mark(), None)
    assert classify(mark(), None) != classify(scene(), None)


@needs_open_clip
@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (40, 300), (900, 20)])
def test_any_shape_is_seen_whole(weights, shape):
    scores = ClipClassifier(build(weights), torch.device("cpu"))(np.full((*shape, 3), 9, np.uint8), None)
    assert sum(scores.values()) == pytest.approx(1)


@needs_open_clip
@pytest.mark.parametrize("damage", ["missing", "foreign", "wrong size"])
def test_other_weights_are_refused(weights, damage):
    broken = dict(weights)
    if damage == "missing":
        del broken["text_projection"]
    elif damage == "foreign":
        broken = {"conv.weight": torch.zeros(3, 3)}
    else:
        broken["visual.ln_pre.weight"] = torch.zeros(5)
    with pytest.raises(BadInput, match="models get clip-vit-b-32"):
        build(broken)

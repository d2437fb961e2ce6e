"""What `auto` means, with and without weights and GPU."""

import pytest

from vectrahub.engine.networks.upscaler_choice import choose_upscaler, factor_in_name

HERE = ["4x-UltraSharp.pth", "2x_AnimeSharp.safetensors", "sub/RealESRGAN_x2plus.pth", "SwinIR.pth"]


@pytest.mark.parametrize(
    ("file", "factor"),
    [
        ("RealESRGAN_x2plus.pth", 2),
        ("RealESRGAN_x4plus_anime_6B.pth", 4),
        ("2x-AnimeSharp.safetensors", 2),
        ("folder2x/4xNomos8k.pth", 4),
        ("ESRGAN_SRx4.pth", 4),
        ("linux2.pth", None),
        ("model_512x512.pth", None),
        ("plain.pth", None),
    ],
)
def test_factor_in_name(file: str, factor: int | None) -> None:
    assert factor_in_name(file) == factor


@pytest.mark.parametrize(
    ("wanted", "files", "gpu", "chosen"),
    [
        ("auto", HERE, True, "sub/RealESRGAN_x2plus.pth"),
        ("auto", HERE[:2], True, "2x_AnimeSharp.safetensors"),
        ("auto", HERE[:1], True, None),
        ("auto", HERE, False, None),
        ("auto", [], True, None),
        ("lanczos", HERE, True, None),
        ("4x-UltraSharp.pth", HERE, False, "4x-UltraSharp.pth"),
        ("anime", [*HERE, "sub/RealESRGAN_x4plus_anime_6B.pth"], True, "sub/RealESRGAN_x4plus_anime_6B.pth"),
        ("anime", [*HERE, "RealESRGAN_x4plus_anime_6B.pth"], False, None),
        ("anime", HERE, True, None),
    ],
)
def test_choice(wanted: str, files: list[str], gpu: bool, chosen: str | None) -> None:
    choice = choose_upscaler(wanted, files, gpu)
    assert choice.file == chosen
    assert choice.reason == choose_upscaler(wanted, list(reversed(files)), gpu).reason


def test_reason_says_what_is_missing() -> None:
    assert "no GPU" in choose_upscaler("auto", HERE, False).reason
    assert "no RealESRGAN_x4plus_anime_6B" in choose_upscaler("anime", HERE, True).reason
    assert "no GPU" in choose_upscaler("anime", ["realesrgan_x4plus_anime_6b.safetensors"], False).reason
    assert "no x2 network" in choose_upscaler("auto", [], True).reason

"""What stands on a network: convolution, pooling, neck, dense layers."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from cairn.base.errors import InputError  # noqa: E402 - torch has to be there first
from cairn.base.settings import TopSettings  # noqa: E402
from cairn.base.settings.recipes import Recipe  # noqa: E402
from cairn.training.descriptor_net import Top, gem  # noqa: E402


def test_the_old_vgg16_has_a_convolution_a_pooling_and_three_layers_on_its_maps() -> None:
    top = Top((512, 4, 4), Recipe.named("classic-vgg16").top)
    shapes = {name: tuple(weights.shape) for name, weights in top.named_parameters() if weights.ndim > 1}  # fmt: skip
    assert list(shapes.values()) == [(32, 512, 3, 3), (128, 32), (64, 128), (32, 64)]
    assert top(torch.rand(2, 512, 4, 4)).shape == (2, 32)


def test_maps_too_small_for_a_convolution_are_refused() -> None:
    with pytest.raises(InputError, match="the maps have 2 × 2 places; 3 × 3 or more were expected"):
        Top((8, 2, 2), TopSettings(convolution=4))


def test_the_generalised_mean_goes_from_the_mean_to_the_maximum() -> None:
    maps = torch.rand(2, 3, 4, 5) + 0.1
    slow = torch.tensor([[(one.flatten() ** 3).mean() ** (1 / 3) for one in image] for image in maps])  # fmt: skip
    torch.testing.assert_close(gem(maps, torch.tensor(3.0)), slow)
    torch.testing.assert_close(gem(maps, torch.tensor(1.0)), maps.mean(dim=(2, 3)))
    assert (gem(maps, torch.tensor(60.0)) - maps.amax(dim=(2, 3))).abs().max() < 0.06

"""The recipe of the small backbone that the demo brings along: trained from nothing on invented landmarks.

`python -m cairn.training.embedded OUT_FOLDER` makes it again. Its landmarks and scenes belong to the world "training",
so it has never seen one that the demo shows.
"""

import argparse
import itertools
import json
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from cairn.models.exporting import trace_network
from cairn.training.embedded_scenes import Drawing, Scenes, crop, draw_scenes

logger = logging.getLogger(__name__)

N_CHANNELS = 256
STRIDE = 16
INPUT_PX = 160
MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)


@dataclass(frozen=True)
class Recipe:
    """What is drawn and how long is trained. The learning rate falls with the share of the steps that are done.

    crops: until which share of the steps, crops of which side (px): small ones teach the coarse things quickly.
    scale, margin: of the ArcFace loss; none_cosine: what a distractor must stay below, and a landmark above.
    """

    drawing: Drawing = field(default_factory=Drawing)
    n_steps: int = 3_200
    steps_between_saves: int = 100
    batch_size: int = 64
    crops: tuple[tuple[float, int], ...] = ((0.5, 64), (0.85, 96), (1.0, 128))
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    scale: float = 20.0
    margin: float = 0.15
    none_cosine: float = 0.35
    n_threads: int = 2


class EmbeddedNet(nn.Module):
    """A slim residual network: pixels [B, 3, H, W], H and W multiples of 32, to maps [B, 256, H/16, W/16], none below 0.

    Source: after He, Zhang, Ren, Sun, arXiv:1512.03385, much thinner.
    """

    def __init__(self) -> None:
        """Random weights."""
        super().__init__()
        widths = (24, 40, 80, 128)
        layers: list[nn.Module] = [_conv(3, widths[0], stride=2), nn.ReLU()]
        for before, width in itertools.pairwise(widths):
            layers += [_conv(before, width, stride=2), nn.ReLU()]
            # A block on the finest maps costs as much as all the others and helps least.
            layers += [_Residual(width)] if width > widths[1] else []
        layers += [_conv(widths[-1], N_CHANNELS, kernel=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, pixels: Tensor) -> Tensor:
        """The maps of normalised pixels."""
        maps: Tensor = self.layers(pixels)
        return maps


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _conv(width, width), _conv(width, width)

    def forward(self, maps: Tensor) -> Tensor:
        return functional.relu(maps + self.second(functional.relu(self.first(maps))))


def _conv(before: int, width: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(before, width, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(width))


def descriptors_of(maps: Tensor) -> Tensor:
    """The mean of each map, of length one: [B, C]."""
    return functional.normalize(maps.mean(dim=(2, 3)), dim=1)


def open_set_arcface(cosines: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    """ArcFace over the landmarks and one constant rival, which is the right answer for distractors.

    cosines: [B, L] of descriptors and landmark centres. labels: [B], -1 for a distractor.
    Source: Deng, Guo, Xue, Zafeiriou, arXiv:1801.07698; the constant rival is ours.
    """
    rows = torch.arange(len(labels), device=cosines.device)
    is_landmark = labels >= 0
    right = cosines[rows, labels.clamp(min=0)].clamp(-0.999, 0.999)
    harder = torch.where(is_landmark, torch.cos(torch.acos(right) + recipe.margin), right)
    logits = cosines.index_put((rows, labels.clamp(min=0)), harder)
    rival = torch.full_like(cosines[:, :1], recipe.none_cosine)
    targets = torch.where(is_landmark, labels, cosines.shape[1])
    return functional.cross_entropy(recipe.scale * torch.cat([logits, rival], dim=1), targets)


def normalise(pixels: npt.NDArray[np.uint8]) -> Tensor:
    """Images [B, H, W, 3] as the network's input [B, 3, H, W]."""
    scaled = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    return (scaled - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def _batch(
    scenes: Scenes, chosen: npt.NDArray[np.intp], side_px: int, rng: np.random.Generator
) -> Tensor:
    """Crops [B, 3, S, S] under other light."""
    pixels = normalise(crop(scenes, chosen, side_px=side_px, rng=rng))
    n = len(chosen)
    gain = rng.normal(1, 0.15, (n, 1, 1, 1)) * rng.normal(1, 0.07, (n, 3, 1, 1))
    shift = rng.normal(0, 0.15, (n, 1, 1, 1)) + rng.normal(0, 0.08, (n, 3, 1, 1))
    return pixels * torch.from_numpy(gain).float() + torch.from_numpy(shift).float()


@dataclass
class _State:
    net: EmbeddedNet
    centres: nn.Parameter
    optimizer: torch.optim.AdamW
    step: int = 0


def _start(recipe: Recipe) -> _State:
    torch.manual_seed(recipe.drawing.seed)
    net = EmbeddedNet().to(memory_format=torch.channels_last)
    centres = nn.Parameter(torch.randn(recipe.drawing.n_landmarks, N_CHANNELS))
    optimizer = torch.optim.AdamW([*net.parameters(), centres], weight_decay=recipe.weight_decay)
    return _State(net, centres, optimizer)


def _save(state: _State, path: Path) -> None:
    tensors = {f"net.{name}": value for name, value in state.net.state_dict().items()} | {
        "centres": state.centres.data
    }
    for number, slots in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in slots.items()}
    tensors["progress"] = torch.tensor([state.step])
    unfinished = path.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in tensors.items()}, unfinished)
    unfinished.replace(path)


def _resume(state: _State, path: Path) -> None:
    tensors = load_file(path)
    state.net.load_state_dict(
        {name[4:]: value for name, value in tensors.items() if name.startswith("net.")}
    )
    state.centres.data.copy_(tensors["centres"])
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, slot = name.split(".")
            slots.setdefault(int(number), {})[slot] = value
    state.optimizer.load_state_dict(
        {"state": slots, "param_groups": state.optimizer.state_dict()["param_groups"]}
    )
    state.step = int(tensors["progress"][0])


def train(
    scenes: Scenes,
    recipe: Recipe,
    *,
    checkpoint: Path,
    tell: Callable[[int, float], None] = lambda step, loss: None,
) -> EmbeddedNet:
    """The network once all steps are done; goes on from the checkpoint if there is one.

    tell: called with the step's number and its loss.
    """
    torch.set_num_threads(recipe.n_threads)
    state = _start(recipe)
    if checkpoint.exists():
        _resume(state, checkpoint)
    while state.step < recipe.n_steps:
        loss = _take_step(state, scenes, recipe)
        if state.step % recipe.steps_between_saves == 0 or state.step == recipe.n_steps:
            _save(state, checkpoint)
        tell(state.step, loss)
    return state.net


def _take_step(state: _State, scenes: Scenes, recipe: Recipe) -> float:
    """The loss of one step, which draws from its own numbers: a broken run goes on as if it had not been."""
    rng = np.random.default_rng([recipe.drawing.seed, 7, state.step])
    chosen = rng.choice(len(scenes.labels), recipe.batch_size, replace=False)
    share = state.step / recipe.n_steps
    warm, cooled = min(1.0, (state.step + 1) / 100), 0.5 * (1 + float(np.cos(np.pi * share)))
    for group in state.optimizer.param_groups:
        group["lr"] = recipe.learning_rate * warm * cooled
    state.net.train()
    side = next((px for until, px in recipe.crops if share < until), recipe.crops[-1][1])
    pixels = _batch(scenes, chosen, side, rng)
    found = descriptors_of(state.net(pixels.contiguous(memory_format=torch.channels_last)))
    cosines = found @ functional.normalize(state.centres, dim=1).T
    loss = open_set_arcface(cosines, torch.from_numpy(scenes.labels[chosen]), recipe)
    state.optimizer.zero_grad()
    torch.autograd.backward(loss)
    state.optimizer.step()
    state.step += 1
    return float(loss.detach())


def folded(net: EmbeddedNet) -> EmbeddedNet:
    """The same network with each batch norm worked into the convolution before it."""
    twin = EmbeddedNet()
    twin.load_state_dict(net.state_dict())
    twin.eval()
    for pair in [
        module
        for module in twin.modules()
        if isinstance(module, nn.Sequential) and len(module) == 2
    ]:
        conv, norm = pair[0], pair[1]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            pair[0] = nn.utils.fuse_conv_bn_eval(conv, norm)
            pair[1] = nn.Identity()
    return twin


def export(net: EmbeddedNet, folder: Path) -> None:
    """Writes the backbone folder: `model.onnx` (pixels to maps, any H and W that are multiples of 32) and `config.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / "model.part.onnx"
    network = _Maps(folded(net).to(memory_format=torch.contiguous_format)).eval()
    trace_network(network, unfinished, size=(INPUT_PX, INPUT_PX), is_fixed=False)
    unfinished.replace(folder / "model.onnx")
    (folder / "config.json").write_text(json.dumps(_config(), indent=1) + "\n")


class _Maps(nn.Module):
    """The network in the form that backbones are exported from: a tuple of its outputs."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: Tensor) -> tuple[Tensor]:
        """([B, C, H/16, W/16],) of pixels [B, 3, H, W]."""
        return (self.net(pixels),)


def _config() -> dict[str, object]:
    return {
        "architecture": "cairn_embedded",
        "num_classes": 0,
        "num_features": N_CHANNELS,
        "stride": STRIDE,
        "pretrained_cfg": {
            "tag": "invented",
            "input_size": [3, INPUT_PX, INPUT_PX],
            "fixed_input_size": False,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": "squash",
            "mean": list(MEAN),
            "std": list(STD),
            "num_classes": 0,
            "license": "apache-2.0",
            "description": "Slim residual network trained from nothing on rendered scenes of invented landmarks; "
            "batch norms folded",
        },
    }


def main() -> None:
    """Draws the training world, trains, and writes the backbone folder."""
    parser = argparse.ArgumentParser(prog="python -m cairn.training.embedded", description=__doc__)
    parser.add_argument("folder", type=Path, help="where config.json and model.onnx are written")
    parser.add_argument(
        "--steps",
        type=int,
        default=Recipe.n_steps,
        help="of training, about 0.4 s each on two cores",
    )
    parser.add_argument("--seed", type=int, default=Drawing.seed)
    parser.add_argument(
        "--scratch", type=Path, help="drawn scenes and checkpoint; default: beside the folder"
    )
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe = Recipe(Drawing(seed=given.seed), given.steps)
    scratch: Path = given.scratch or given.folder.with_name(given.folder.name + ".scratch")
    scenes = draw_scenes(scratch, recipe.drawing)
    recent: deque[float] = deque(maxlen=50)

    def tell(step: int, loss: float) -> None:
        recent.append(loss)
        if step % 50 == 0:
            logger.info("step %d: mean loss %.3f", step, sum(recent) / len(recent))

    export(
        train(
            scenes,
            recipe,
            checkpoint=scratch / f"checkpoint_{recipe.drawing.seed}.safetensors",
            tell=tell,
        ),
        given.folder,
    )
    logger.info(
        "written: %s; the scenes and the checkpoint in %s are no longer needed",
        given.folder,
        scratch,
    )


if __name__ == "__main__":
    main()

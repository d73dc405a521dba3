"""Small rendered photos in landmark folders, for tests of what is planted in them."""

from pathlib import Path

from PIL import Image

from cairn.images.render.landmarks import invent_landmarks
from cairn.images.render.scene import render_distractor, render_scene

SIZE_PX = (160, 120)


def scene_folder(root: Path, *, n_landmarks: int = 4, n_photos: int = 8, n_none: int = 6) -> Path:
    """`root` with folders of photos of invented landmarks, and `_none` with photos of none."""
    for number, landmark in enumerate(invent_landmarks(n_landmarks, world="test")):
        for seed in range(n_photos):
            pixels = render_scene([landmark], seed=seed, size=SIZE_PX)
            _save(root / f"landmark_{number}/{seed:03}.jpg", pixels)
    for seed in range(n_none):
        _save(
            root / f"_none/{seed:03}.jpg", render_distractor(world="test", seed=seed, size=SIZE_PX)
        )
    return root


def _save(path: Path, pixels: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=92)  # type: ignore[arg-type] # an array

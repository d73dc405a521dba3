"""The embedded sample: invented landmarks, drawn by a small deterministic renderer (NumPy and Pillow only)."""

from cairn.images.render.landmarks import WORLDS, Landmark, invent_landmarks
from cairn.images.render.sample import SampleSettings, SampleSummary, write_sample
from cairn.images.render.scene import render_distractor, render_scene

__all__ = [
    "WORLDS",
    "Landmark",
    "SampleSettings",
    "SampleSummary",
    "invent_landmarks",
    "render_distractor",
    "render_scene",
    "write_sample",
]

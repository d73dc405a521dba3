"""Solids made of flat textured faces, in metres: x to the right, y away from the front, z up."""

import itertools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Look:
    """What a face wears: a texture, the size of one tile of it (0 stretches one tile over the face), and a tint."""

    texture: int
    tile: tuple[float, float] = (2.0, 2.0)
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Face:
    """One flat polygon: its corners [K, 3] counter-clockwise seen from outside, and how texture lies on it.

    across, up: [4] affine maps from a point to texture coordinates, in tiles.
    """

    corners: Floats
    look: Look
    across: Floats
    up: Floats


@dataclass(frozen=True)
class Solid:
    """Faces that hide one another only in the order given, and the box around them."""

    faces: tuple[Face, ...]
    low: Floats
    high: Floats


@dataclass
class Model:
    """Solids whose boxes (nearly) never overlap, so that they can be painted from back to front."""

    solids: list[Solid] = field(default_factory=list)

    def add(self, faces: list[Face]) -> None:
        """One more solid."""
        if faces:
            points = np.concatenate([face.corners for face in faces])
            self.solids.append(Solid(tuple(faces), points.min(axis=0), points.max(axis=0)))

    def bounds(self) -> tuple[Floats, Floats]:
        """The lowest and the highest corner of the box around everything."""
        low = np.min([solid.low for solid in self.solids], axis=0)
        return low, np.max([solid.high for solid in self.solids], axis=0)


def flat_face(corners: Floats, look: Look) -> Face | None:
    """A face with whole tiles along its first edge and across it; None where it has no area."""
    origin = corners[0]
    normal = _normal(corners)
    length = float(normal @ normal) ** 0.5
    edge = corners[1] - origin
    if length < 1e-6 or float(edge @ edge) < 1e-9:
        return None
    along = edge / float(edge @ edge) ** 0.5
    upward = _cross(normal / length, along)
    wide = float(((corners - origin) @ along).max())
    tall = float(((corners - origin) @ upward).max())
    across = along * (_tiles(wide, look.tile[0]) / max(wide, 1e-6))
    up = upward * (_tiles(tall, look.tile[1]) / max(tall, 1e-6))
    return Face(corners, look, np.append(across, -across @ origin), np.append(up, -up @ origin))


def _normal(corners: Floats) -> Floats:
    x, y, z = (corners - corners[0]).T
    total = [
        float((p[1:-1] * q[2:] - q[1:-1] * p[2:]).sum()) / 2 for p, q in ((y, z), (z, x), (x, y))
    ]
    return np.array(total)


def _cross(a: Floats, b: Floats) -> Floats:
    # np.cross takes 30 times as long for one pair.
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def _tiles(length: float, tile: float) -> float:
    return 1.0 if tile == 0 else float(max(1, round(length / tile)))


def outline(sides: int, half: tuple[float, float], turn: float = 0.0) -> Floats:
    """A flat outline [K, 2], counter-clockwise: a rectangle for four sides, else one drawn into an ellipse."""
    if sides == 4 and turn == 0.0:
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64)
    else:
        angles = 2 * np.pi * (np.arange(sides) - 0.5) / sides - np.pi / 2 + turn
        corners = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(corners * half, dtype=np.float64)


def prism(
    at: tuple[float, float, float],
    half: tuple[float, float],
    height: float,
    walls: Look,
    *,
    top: tuple[float, float] = (1.0, 1.0),
    sides: int = 4,
    turn: float = 0.0,
    lid: Look | None = None,
    ends: Look | None = None,
    lean: tuple[float, float] = (0.0, 0.0),
) -> list[Face]:
    """The faces of a box, roof, pyramid, cylinder or cone: an outline that becomes `top` times itself at its height.

    at: the middle of its foot. top (1, 0) is a gable along x, (0, 0) a point; ends: what the triangles of a gable
    wear. lean: how far the top stands aside.
    """
    foot = outline(sides, half, turn)
    crown = foot * top + lean
    low = np.column_stack([foot, np.zeros(sides)]) + at
    high = np.column_stack([crown, np.full(sides, height)]) + at
    cover = lid if lid is not None else walls
    around = []
    for i in range(sides):
        j = (i + 1) % sides
        corners = _without_twins(np.array([low[i], low[j], high[j], high[i]]))
        around.append(flat_face(corners, ends if ends is not None and len(corners) == 3 else walls))
    flat_ends = [
        flat_face(high, cover) if min(top) > 0 else None,
        flat_face(low[::-1], cover) if at[2] > 0.01 else None,
    ]
    return [face for face in around + flat_ends if face is not None]


def _without_twins(corners: Floats) -> Floats:
    kept = corners[np.abs(corners - corners[[-1, 0, 1, 2]]).sum(axis=1) > 1e-6]
    return kept if len(kept) > 2 else corners


def turned(
    at: tuple[float, float, float],
    profile: list[tuple[float, float]],
    look: Look,
    *,
    sides: int = 16,
) -> list[Face]:
    """The faces of a dome, an onion or a vase: rings through (radius, height) pairs, from foot to top."""
    faces: list[Face] = []
    for (radius, start), (next_radius, end) in itertools.pairwise(profile):
        share = next_radius / radius if radius else 1.0
        ring = prism(
            (at[0], at[1], at[2] + start),
            (radius, radius),
            end - start,
            look,
            top=(share, share),
            sides=sides,
        )
        faces += ring[:sides]
    return faces


def dome_profile(
    radius: float, height: float, *, bulge: float = 0.0, rings: int = 6
) -> list[tuple[float, float]]:
    """(radius, height) pairs of a dome; a bulge above 0 makes an onion with a point."""
    steps = np.linspace(0, 1, rings + 1)
    round_part = np.cos(steps * np.pi / 2)
    swell = 1 + bulge * np.sin(np.pi * steps) * (1 - steps) * 2
    shrink = round_part if bulge == 0 else (1 - steps**1.5) ** 0.9
    return [
        (max(float(radius * s * w), 0.01), float(height * t))
        for s, w, t in zip(
            shrink, swell, np.sin(steps * np.pi / 2) if bulge == 0 else steps, strict=True
        )
    ]


def gate(
    at: tuple[float, float, float],
    half: tuple[float, float],
    height: float,
    opening: tuple[float, float],
    walls: Look,
    *,
    pointed: bool = False,
) -> list[Face]:
    """A wall with an arched opening in its front: the inside of the arch first, then what may hide it.

    opening: half the width and the full height of the hole.
    """
    wide, tall = opening
    rise = wide * (1.5 if pointed else 1.0)
    spring = max(tall - rise, 0.1)
    angles = np.linspace(0, np.pi, 9)
    bow = np.stack([wide * np.cos(angles), spring + rise * np.sin(angles)], axis=1)
    if pointed:
        bow[:, 0] = wide * np.sign(np.cos(angles)) * (1 - (np.sin(angles)) ** 2) ** 0.7
    hole = np.concatenate([[[wide, 0.0]], bow, [[-wide, 0.0]]])
    rim = [[-half[0], 0.0], [-half[0], height], [half[0], height], [half[0], 0.0]]
    # The front is one concave polygon: down the left side, around the hole, up the right side.
    shape = np.array(
        [
            [half[0], 0.0],
            [half[0], height],
            [-half[0], height],
            [-half[0], 0.0],
            *hole[::-1].tolist(),
        ]
    )
    front = np.column_stack([shape[:, 0], np.full(len(shape), -half[1]), shape[:, 1]]) + at
    back = (np.column_stack([shape[:, 0], np.full(len(shape), half[1]), shape[:, 1]]) + at)[::-1]
    inside = [
        np.array(
            [
                [a[0], -half[1], a[1]],
                [a[0], half[1], a[1]],
                [b[0], half[1], b[1]],
                [b[0], -half[1], b[1]],
            ]
        )
        + at
        for a, b in itertools.pairwise(hole)
    ]
    outside = [
        np.array(
            [
                [a[0], -half[1], a[1]],
                [a[0], half[1], a[1]],
                [b[0], half[1], b[1]],
                [b[0], -half[1], b[1]],
            ]
        )
        + at
        for a, b in itertools.pairwise(rim)
    ]
    dark = Look(
        walls.texture, walls.tile, (walls.tint[0] * 0.8, walls.tint[1] * 0.8, walls.tint[2] * 0.8)
    )
    made = [flat_face(face[::-1], dark) for face in inside] + [
        flat_face(face[::-1], walls) for face in outside
    ]
    made += [_upright(front, at, walls, 1.0), _upright(back, at, walls, -1.0)]
    return [face for face in made if face is not None]


def _upright(corners: Floats, at: tuple[float, float, float], look: Look, sign: float) -> Face:
    across = np.array([sign / (look.tile[0] or 4.0), 0.0, 0.0])
    up = np.array([0.0, 0.0, 1.0 / (look.tile[1] or 4.0)])
    return Face(corners, look, np.append(across, -across @ at), np.append(up, -up @ at))


def badge(
    middle: tuple[float, float, float], radius: float, look: Look, *, side: str = "front"
) -> Face:
    """A round plate on a wall that looks to the front, left or right: a clock, a rose window."""
    angles = np.linspace(0, 2 * np.pi, 20, endpoint=False) - np.pi / 2
    flat = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius
    return _plate(flat, middle, radius, radius, look, side)


def panel(
    middle: tuple[float, float, float],
    half: tuple[float, float],
    look: Look,
    *,
    side: str = "front",
) -> Face:
    """An upright plate on a wall that looks to the front, left or right: a door, a gable window."""
    flat = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64) * half
    return _plate(flat, middle, half[0], half[1], look, side)


_SIDES = {"front": (1.0, 0.0), "right": (0.0, 1.0), "left": (0.0, -1.0), "back": (-1.0, 0.0)}


def _plate(
    flat: Floats,
    middle: tuple[float, float, float],
    wide: float,
    tall: float,
    look: Look,
    side: str,
) -> Face:
    x, y = _SIDES[side]
    along = np.array([x, y, 0.0])
    corners = flat[:, :1] * along + flat[:, 1:] * np.array([0.0, 0.0, 1.0]) + middle
    across = along / (2 * wide)
    up = np.array([0.0, 0.0, 1 / (2 * tall)])
    low = np.asarray(middle) - along * wide - np.array([0.0, 0.0, tall])
    return Face(corners, look, np.append(across, -across @ low), np.append(up, -up @ low))

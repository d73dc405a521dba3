"""From solids to pixels: which face is seen where."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from cairn.images.render.shapes import Floats, Model
from cairn.images.render.textures import TILE_PX

Ids = npt.NDArray[np.int32]
Shades = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Mesh:
    """All faces of a model as arrays; the faces of one solid lie together."""

    corners: Floats
    starts: npt.NDArray[np.intp]
    normals: Floats
    across: Floats
    up: Floats
    textures: npt.NDArray[np.intp]
    tints: Floats
    solids: npt.NDArray[np.intp]
    lows: Floats
    highs: Floats


def flatten(model: Model) -> Mesh:
    """The model's faces as arrays."""
    faces = [face for solid in model.solids for face in solid.faces]
    counts = [len(face.corners) for face in faces]
    corners = np.concatenate([face.corners for face in faces])
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
    normals = np.add.reduceat(np.cross(corners, corners[_next_corner(starts)]), starts[:-1], axis=0)
    return Mesh(
        corners=corners,
        starts=starts,
        normals=normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12),
        across=np.array([face.across for face in faces]),
        up=np.array([face.up for face in faces]),
        textures=np.array([face.look.texture for face in faces]),
        tints=np.array([face.look.tint for face in faces]),
        solids=np.cumsum([0] + [len(solid.faces) for solid in model.solids]),
        lows=np.array([solid.low for solid in model.solids]),
        highs=np.array([solid.high for solid in model.solids]),
    )


def _next_corner(starts: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    following = np.arange(starts[-1]) + 1
    following[starts[1:] - 1] = starts[:-1]
    return following


@dataclass(frozen=True)
class Piece:
    """A mesh that stands in the scene, turned about its own middle.

    texture: the number of its first tile in the scene's atlas. is_soft: leaves and people, lit from all sides.
    casts: what throws its shadow where that is another mesh than the one seen.
    """

    mesh: Mesh
    at: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turn: float = 0.0
    texture: int = 0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    is_soft: bool = False
    casts: Mesh | None = None

    def rotation(self) -> Floats:
        """[3, 3], from the piece's own axes to the world's."""
        c, s = np.cos(self.turn), np.sin(self.turn)
        return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True)
class View:
    """Where an eye is and what it sees: `axes` are its right, up and forward; infinitely far if `is_parallel`.

    scale: pixels per unit of tangent (or per metre, if parallel).
    """

    eye: Floats
    axes: Floats
    scale: float
    size: tuple[int, int]
    is_parallel: bool = False

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Pixels [V, 2], and how far ahead each point lies [V] in metres."""
        seen = (points - self.eye) @ self.axes.T
        ahead = seen[:, 2]
        flat = seen[:, :2] if self.is_parallel else seen[:, :2] / np.maximum(ahead, 0.05)[:, None]
        middle = np.array([self.size[0] / 2, self.size[1] / 2])
        return flat * [self.scale, -self.scale] + middle, ahead


def look_at(eye: Floats, target: Floats, *, roll: float = 0.0) -> Floats:
    """The axes (right, up, forward) of an eye that looks at a point."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    c, s = np.cos(roll), np.sin(roll)
    return np.stack([c * right + s * up, c * up - s * right, forward])


def back_to_front(lows: Floats, highs: Floats, eye: Floats) -> list[int]:
    """An order in which no box is painted over by one that it hides."""
    n = len(lows)
    if n == 1:
        return [0]
    hides = np.ones((n, n), dtype=bool)
    for k in range(3):
        below = highs[:, None, k] <= lows[None, :, k] + 0.06
        # Below a plane with the eye above it: the lower box never hides the upper one.
        hides &= ~(below & (eye[k] >= highs[:, None, k]))
        hides &= ~(below.T & (eye[k] <= lows[:, None, k]))
    waits = hides & ~hides.T
    middles = (lows + highs) / 2 - eye
    distance = (middles * middles).sum(axis=1)
    n_waits = waits.sum(axis=1)
    left = np.ones(n, dtype=bool)
    order: list[int] = []
    for _ in range(n):
        ready = left & (n_waits == 0)
        choice = int(np.argmax(np.where(ready if ready.any() else left, distance, -1.0)))
        order.append(choice)
        left[choice] = False
        n_waits = n_waits - waits[:, choice]
    return order


@dataclass(frozen=True)
class Faces:
    """The faces of all pieces in world axes; number 0 is the ground."""

    normals: Shades
    offsets: Shades
    across: Shades
    up: Shades
    textures: npt.NDArray[np.intp]
    tints: Shades
    soft: npt.NDArray[np.bool_]


def gather(pieces: list[Piece]) -> Faces:
    """The faces of all pieces, in the order of their numbers."""
    parts = []
    for piece in pieces:
        turn, mesh = piece.rotation(), piece.mesh
        normals = mesh.normals @ turn.T
        points = mesh.corners[mesh.starts[:-1]] @ turn.T + piece.at
        maps = []
        for own in (mesh.across, mesh.up):
            slope = own[:, :3] @ turn.T
            maps.append(np.column_stack([slope, own[:, 3] - slope @ np.asarray(piece.at)]))
        soft = np.full(len(normals), piece.is_soft)
        offsets = (normals * points).sum(axis=1)
        parts.append(
            (normals, offsets, *maps, mesh.textures + piece.texture, mesh.tints * piece.tint, soft)
        )
    ground = (
        np.array([[0.0, 0.0, 1.0]]),
        np.zeros(1),
        np.zeros((1, 4)),
        np.zeros((1, 4)),
        np.zeros(1, dtype=np.intp),
    )
    columns = zip((*ground, np.ones((1, 3)), np.zeros(1, dtype=bool)), *parts, strict=True)
    normals, offsets, across, up, textures, tints, soft = (
        np.concatenate(column) for column in columns
    )
    f = np.float32
    return Faces(
        normals.astype(f),
        offsets.astype(f),
        across.astype(f),
        up.astype(f),
        textures,
        tints.astype(f),
        soft,
    )


def paint_numbers(
    pieces: list[Piece], view: View, *, shadows: bool = False
) -> tuple[Ids, npt.NDArray[np.intp]]:
    """Which face is seen at each pixel [H, W] (0: none), and the size step of its texture for each face [F].

    shadows: paint what throws shadows, instead of what is seen; its numbers are then those of the seen faces.
    """
    canvas = Image.new("I", view.size, 0)
    draw = ImageDraw.Draw(canvas)
    first = np.cumsum([1] + [len(piece.mesh.normals) for piece in pieces])
    levels = np.zeros(int(first[-1]), dtype=np.intp)
    boxes = [box(piece) for piece in pieces]
    lows, highs = np.array([box[0] for box in boxes]), np.array([box[1] for box in boxes])
    for i in back_to_front(lows, highs, view.eye):
        piece = pieces[i]
        mesh = piece.casts if shadows and piece.casts is not None else piece.mesh
        pixels = _paint_piece(draw, piece, mesh, view, int(first[i]))
        if not shadows:
            levels[first[i] : first[i + 1]] = _levels(mesh, pixels)
    return np.asarray(canvas), levels


def box(piece: Piece) -> tuple[Floats, Floats]:
    """The lowest and the highest corner of an upright box around the piece."""
    placed = piece.mesh.corners @ piece.rotation().T + piece.at
    return placed.min(axis=0), placed.max(axis=0)


def _paint_piece(
    draw: ImageDraw.ImageDraw, piece: Piece, mesh: Mesh, view: View, first: int
) -> Floats:
    turn = piece.rotation()
    points = mesh.corners @ turn.T + piece.at
    pixels, ahead = view.project(points)
    normals = mesh.normals @ turn.T
    starts = mesh.starts[:-1]
    if view.is_parallel:
        is_seen = normals @ view.axes[2] < 0
    else:
        is_seen = ((view.eye - points[starts]) * normals).sum(axis=1) > 0
        is_seen &= np.minimum.reduceat(ahead, starts) > 0.3
    own_eye = turn.T @ (view.eye - piece.at)
    flat, bounds = pixels.ravel().tolist(), (mesh.starts * 2).tolist()
    seen, solids = is_seen.tolist(), mesh.solids.tolist()
    for solid in back_to_front(mesh.lows, mesh.highs, own_eye):
        for face in range(solids[solid], solids[solid + 1]):
            if seen[face]:
                draw.polygon(flat[bounds[face] : bounds[face + 1]], fill=first + face)
    return pixels


def _levels(mesh: Mesh, pixels: Floats) -> npt.NDArray[np.intp]:
    starts = mesh.starts[:-1]
    following = _next_corner(mesh.starts)
    of_face = np.repeat(np.arange(len(starts)), np.diff(mesh.starts))
    across = (mesh.corners * mesh.across[of_face, :3]).sum(axis=1)
    up = (mesh.corners * mesh.up[of_face, :3]).sum(axis=1)
    tiles = (
        np.abs(np.add.reduceat(across * up[following] - across[following] * up, starts))
        * TILE_PX**2
    )
    x, y = pixels[:, 0], pixels[:, 1]
    area = np.abs(np.add.reduceat(x * y[following] - x[following] * y, starts))
    level = np.round(0.5 * np.log2((tiles + 1e-6) / (area + 1e-6)))
    return np.clip(level, 0, 3).astype(np.intp)

"""Where vectors lie: an exact index of the gallery's descriptors, as a file that can be memory-mapped."""

from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from cairn.base.checks import require_vectors
from cairn.base.errors import BundleError
from cairn.base.files import write_bytes

FloatArray = npt.NDArray[np.float32]


def write_index(vectors: FloatArray, path: Path) -> None:
    """`path` holds `vectors` [N, D] as an exact FAISS index of inner products."""
    require_vectors(vectors, what="the gallery's descriptors")
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors))
    write_bytes(path, faiss.serialize_index(index).tobytes())


@dataclass(frozen=True)
class GalleryIndex:
    """An exact index that was read; its memory is the file's, so it lives as long as this object."""

    index: faiss.IndexFlat

    @property
    def vectors(self) -> FloatArray:
        """The vectors [N, D] themselves, not copied: not to be used when this object has gone."""
        n, width = self.index.ntotal, self.index.d
        flat: FloatArray = faiss.rev_swig_ptr(self.index.get_xb(), n * width)
        return flat.reshape(n, width)


def read_index(path: Path, *, n_images: int) -> GalleryIndex:
    """The index at `path`, memory-mapped: processes that read it share its memory.

    Raises BundleError where it is no exact index of `n_images` vectors.
    """
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise BundleError(
            f"{path} cannot be read as a FAISS index; the file that cairn index wrote was expected; copy "
            "the bundle again"
        ) from error
    if not isinstance(index, faiss.IndexFlat) or index.ntotal != n_images:
        raise BundleError(
            f"{path} holds {index.ntotal} vectors in a {type(index).__name__}; {n_images} in an exact index "
            "were expected; copy the bundle again"
        )
    return GalleryIndex(index)

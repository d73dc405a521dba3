"""A made-up Google Landmarks v2 of a few photos, as lists, tars and sums that a server of files can serve."""

import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cairn.stages.gld.datasets import DATASETS, Dataset, md5_place
from cairn.stages.gld.tars import member_name
from tests.make import jpeg
from tests.stages.gld.range_server import Served

TARS = {"train": 2, "index": 1, "test": 1}
TRAIN, INDEX, TEST = 0x1000, 0x2000, 0x3000


def small(dataset: Dataset = DATASETS["gld-v2"]) -> Dataset:
    """The data set with as few tars as are made here."""
    parts = tuple(replace(part, n_tars=TARS[part.name], tar_mb=1) for part in dataset.parts)
    return replace(dataset, parts=parts)


def image_id(number: int) -> str:
    """The id of the image of that number."""
    return f"{number * 0x9E3779B97F4A7C15 % (1 << 64):016x}"


def ids(start: int, n: int) -> list[str]:
    """The ids of `n` images from a number on."""
    return [image_id(start + number) for number in range(n)]


def packed(members: Mapping[str, bytes]) -> bytes:
    """A tar of members by name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def photos(image_ids: Sequence[str]) -> dict[str, bytes]:
    """A photo of its own for each id, by its name in a tar."""
    return {member_name(image): jpeg(int(image, 16) % 1_000_003) for image in image_ids}


def publish(served: Served, tar: str, content: bytes, *, md5: str | None = None) -> None:
    """The tar is served, with its sum."""
    served.files[tar] = content
    served.etags[tar] = f'"{hashlib.md5(content).hexdigest()}"'
    told = md5 or hashlib.md5(content).hexdigest()
    served.files[md5_place(tar)] = f"{told}  {tar.rpartition('/')[2]}\n".encode()


class Published:
    """What is published: ids of each part in order of its list, and the members of each tar."""

    def __init__(self, n_a_tar: int = 4) -> None:
        self.train = ids(TRAIN, TARS["train"] * n_a_tar)
        self.index = ids(INDEX, TARS["index"] * n_a_tar)
        self.test = ids(TEST, TARS["test"] * n_a_tar)
        self.tars = {
            f"{part}/images_{number:03}.tar": photos(
                images[number * n_a_tar : (number + 1) * n_a_tar]
            )
            for part, images in (("train", self.train), ("index", self.index), ("test", self.test))
            for number in range(TARS[part])
        }

    def landmark_of(self, image: str) -> str:
        """The landmark of an image of train or index."""
        return str((self.train if image in self.train else self.index).index(image) % 3)

    def lists(self) -> dict[str, str]:
        """The lists by name."""
        train, index, test = self.train, self.index, self.test
        names = "".join(
            f"{n},http://commons.wikimedia.org/wiki/Category:Tower_{n}\n" for n in range(3)
        )
        hierarchy = (
            "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made\n"
            "0,http://commons.wikimedia.org/wiki/Category:Tower_0,Tower,tower,human-made\n"
        )
        clean = [image for image in train if self.landmark_of(image) == "0"]
        return {
            "train.csv": "id,url,landmark_id\n"
            + "".join(f"{i},http://photos.example/{i}.jpg,{self.landmark_of(i)}\n" for i in train),
            "train_clean.csv": f"landmark_id,images\n0,{' '.join(clean)}\n",
            "train_attribution.csv": "id,url,author,license,title\n"
            + "".join(f'{i},http://photos.example/{i}.jpg,"Ann, A.",CC-{i[0]},T\n' for i in train),
            "train_label_to_category.csv": "landmark_id,category\n" + names,
            "train_label_to_hierarchical.csv": hierarchy,
            "index.csv": "id\n" + "".join(f"{i}\n" for i in index),
            "index_image_to_landmark.csv": "id,landmark_id\n"
            + "".join(f"{i},{self.landmark_of(i)}\n" for i in index),
            "index_label_to_category.csv": "landmark_id,category\n" + names,
            "index_label_to_hierarchical.csv": hierarchy,
            "test.csv": "id\n" + "".join(f"{i}\n" for i in test),
            "recognition_solution_v2.1.csv": f"id,landmarks,Usage\n{test[0]},1 2,Public\n{test[1]},,Private\n"
            f"{test[2]},None,Ignored\n{test[3]},0,Public\n",
        }

    def serve(self, served: Served) -> None:
        """All of it is served."""
        dataset = DATASETS["gld-v2"]
        for name, text in self.lists().items():
            served.files[dataset.list_file(name).place] = text.encode()
        for tar, members in self.tars.items():
            publish(served, tar, packed(members))

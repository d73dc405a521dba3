from hashlib import blake2b

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cairn.training.keys import generator_of, image_keys, key_of, scattered

MASK = (1 << 64) - 1


def test_scattering_gives_the_published_numbers_of_splitmix64() -> None:
    step = 0x9E3779B97F4A7C15
    states = np.array([(1234567 + step * i) & MASK for i in range(3)], dtype=np.uint64)
    wanted = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert scattered(states).tolist() == wanted


def test_keys_of_images_are_their_hashes_in_any_alphabet() -> None:
    ids = ["", "0123456789abcdef", "Église/été.jpg", "塔"]
    wanted = [
        int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") for name in ids
    ]
    assert image_keys(ids).tolist() == wanted
    assert image_keys([]).shape == (0,)


@given(st.text(max_size=20), st.integers(0, 1 << 70), st.integers(0, 1000))
def test_a_key_changes_with_whatever_it_is_made_of(image_id: str, seed: int, epoch: int) -> None:
    keys = {
        key_of(image_id, seed=seed, epoch=epoch),
        key_of(image_id + "x", seed=seed, epoch=epoch),
        key_of(image_id, seed=seed + 1, epoch=epoch),
        key_of(image_id, seed=seed, epoch=epoch + 1),
        key_of(image_id, seed=seed, epoch=epoch, again=1),
    }
    assert len(keys) == 5


def test_every_bit_of_keys_is_set_in_about_half_of_them() -> None:
    keys = np.array([key_of(str(i), seed=0, epoch=0) for i in range(4096)], dtype=np.uint64)
    shares = [float(((keys >> np.uint64(bit)) & np.uint64(1)).mean()) for bit in range(64)]
    # Five standard deviations of a fair coin.
    assert max(abs(share - 0.5) for share in shares) < 5 * 0.5 / 64


def test_generators_of_one_key_agree_and_of_two_do_not() -> None:
    first, twin, other = (generator_of(key).random(4) for key in (MASK, MASK, 5))
    assert np.array_equal(first, twin)
    assert not np.isin(first, other).any()

"""What stands on a network's maps is cut off and computed in full precision."""

from pathlib import Path

import numpy as np
import pytest

from cairn.models.openvino_files import write_bf16
from cairn.models.runtimes.cutting import cut_after_maps
from cairn.models.runtimes.openvino import OpenVinoRuntime, processor, read_network
from tests.models.nets import net, top_folder, top_of


def pixels() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((3, 3, 64, 96), dtype=np.float32)


def test_in_bf16_what_stands_on_the_maps_keeps_full_precision(tmp_path: Path) -> None:
    path = top_folder(tmp_path) / "model.onnx"
    found = OpenVinoRuntime(path, arithmetic="bf16").run(pixels())
    np.testing.assert_allclose(found["cls"], top_of(found["maps"], path), rtol=1e-5)
    plain = OpenVinoRuntime(path).run(pixels())["maps"]
    np.testing.assert_allclose(found["maps"], plain, atol=0.05)
    # Else the line above the last would hold without any cut.
    assert "BF16" not in processor()[1] or not np.array_equal(found["maps"], plain)


def test_the_pieces_of_a_network_give_what_the_whole_gives(tmp_path: Path) -> None:
    path = top_folder(tmp_path) / "model.onnx"
    top = write_bf16(path, tmp_path / "openvino/bf16.xml")
    whole = OpenVinoRuntime(path, arithmetic="bf16").run(pixels())
    pieces = OpenVinoRuntime(tmp_path / "openvino/bf16.xml", arithmetic="bf16", top=top).run(
        pixels()
    )
    assert pieces.keys() == whole.keys()
    for name, expected in whole.items():
        np.testing.assert_allclose(pieces[name], expected, atol=0.02)


def test_a_top_may_begin_before_the_maps_are_done(tmp_path: Path) -> None:
    backbone = net(tmp_path, has_cls=True)
    found = OpenVinoRuntime(backbone.network, arithmetic="bf16").run(pixels())
    plain = OpenVinoRuntime(backbone.network).run(pixels())
    assert list(found) == ["maps", "cls"]
    np.testing.assert_allclose(found["cls"], plain["cls"], atol=0.05)


def test_what_computes_nothing_is_not_cut_off(tmp_path: Path) -> None:
    import onnx

    path = net(tmp_path, has_cls=True).network
    model = onnx.load(path)
    first = onnx.helper.make_node("Reshape", ["seen", "rows"], ["cls"])
    rows = onnx.numpy_helper.from_array(np.array([-1, 6]), "rows")
    model.graph.node[2].CopyFrom(first)
    model.graph.initializer.append(rows)
    onnx.save(model, path)
    assert cut_after_maps(read_network(path))[1] is None


def test_a_network_that_gives_maps_alone_has_no_top(tmp_path: Path) -> None:
    assert cut_after_maps(read_network(net(tmp_path).network))[1] is None
    assert write_bf16(tmp_path / "model.onnx", tmp_path / "bf16.xml") is None


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    from cairn.base.errors import DiskError

    (tmp_path / "closed.xml").mkdir()
    with pytest.raises(DiskError, match="could not be written"):
        write_bf16(net(tmp_path).network, tmp_path / "closed.xml")

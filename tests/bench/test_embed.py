"""The bench of descriptors: every contender measured in every round, and near the reference."""

from pathlib import Path

import pytest

from cairn.base.settings import BenchSettings, DescribeSettings
from cairn.base.watching import Silent
from cairn.bench.embed import (
    BARE_OF,
    CAIRN,
    CAIRN_INT8,
    CAIRN_RESIZING,
    ONNX,
    OPENVINO,
    TORCH,
    EmbedBench,
    bench_embed,
)
from cairn.models.backbones import open_backbone
from tests.models.nets import net


@pytest.fixture
def measured(tmp_path: Path) -> EmbedBench:
    describe = DescribeSettings(sides_px=(64,), batch_size=4)
    settings = BenchSettings(rounds=2, n_images=6)
    return bench_embed(net(tmp_path), describe, settings=settings, watch=Silent())


def test_each_contender_runs_in_each_round(measured: EmbedBench) -> None:
    names = {contender.name for contender in measured.contenders}
    assert {OPENVINO, CAIRN, CAIRN_RESIZING} <= names
    assert all(len(contender.images_per_s) == 2 for contender in measured.contenders)
    assert measured.n_threads > 0
    assert "openvino" in measured.versions


def test_bf16_and_int8_are_measured_bare_and_in_cairn(measured: EmbedBench) -> None:
    found = {contender.name: contender for contender in measured.contenders}
    for ours, bare in BARE_OF.items():
        assert (ours in found) == (bare in found) == (bare not in measured.left_out)
        share = measured.ratio(ours, bare)
        assert share is None or share > 0
    if CAIRN_INT8 in found:
        assert 0.99 < (found[CAIRN_INT8].cosine or 0) < 0.9999999


def test_contenders_agree_and_what_is_missing_has_a_reason(measured: EmbedBench) -> None:
    found = {contender.name: contender for contender in measured.contenders}
    assert found[CAIRN].cosine == pytest.approx(1, abs=1e-5)
    assert "model.safetensors" in measured.left_out[TORCH]
    assert measured.ratio(OPENVINO, OPENVINO) == 1
    assert measured.ratio(CAIRN, TORCH) is None


@pytest.mark.slow
def test_torch_is_the_reference_where_it_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    describe = DescribeSettings(backbone="test_resnet", weights="none", sides_px=(96,))
    backbone = open_backbone(describe, cache=tmp_path, watch=Silent())
    settings = BenchSettings(rounds=1, n_images=5)
    measured = bench_embed(backbone, describe, settings=settings, watch=Silent())
    assert measured.reference == TORCH
    found = {contender.name: contender.cosine for contender in measured.contenders}
    assert min(found[name] or 0 for name in (CAIRN, OPENVINO)) > 0.9999
    assert ONNX in found or ONNX in measured.left_out

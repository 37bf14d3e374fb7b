"""RoIPool against the loops of its definition, and res5 on pooled regions against the layers as written."""

from __future__ import annotations

from math import ceil, floor

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

torch = pytest.importorskip("torch", reason="the detector needs the torch extra")

from hlx.models.torch.lxmert.detector.detector_config import DetectorConfig  # noqa: E402
from hlx.models.torch.lxmert.detector.res5 import FoldedRes5, distinct  # noqa: E402
from hlx.models.torch.lxmert.detector.resnet import Backbone, FoldedBackbone, stage  # noqa: E402
from hlx.models.torch.lxmert.detector.roi_pool import nearest_cells, pool_windows, roi_pool, windows  # noqa: E402
from hlx.models.torch.lxmert.detector.winograd import WinogradConvolution  # noqa: E402
from tests.support.detector_checkpoints import random_state  # noqa: E402

SMALL = DetectorConfig(depth=50, stem_width=6, res2_width=12, bottleneck=5)


def away_from_zero(value: float) -> int:
    """C's round()."""
    return floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def by_loops(features: np.ndarray, rois: np.ndarray, bins: int, scale: float) -> np.ndarray:
    """RoIPool of (h, w, c) features, cell by cell."""
    height, width, channels = features.shape
    out = np.zeros((len(rois), channels, bins, bins), np.float32)
    for r, roi in enumerate(rois):
        left, top, right, bottom = (away_from_zero(float(v) * scale) for v in roi)
        tall = np.float32(max(bottom - top + 1, 1)) / np.float32(bins)
        wide = np.float32(max(right - left + 1, 1)) / np.float32(bins)
        for i in range(bins):
            y0 = min(max(floor(np.float32(i) * tall) + top, 0), height)
            y1 = min(max(ceil(np.float32(i + 1) * tall) + top, 0), height)
            for j in range(bins):
                x0 = min(max(floor(np.float32(j) * wide) + left, 0), width)
                x1 = min(max(ceil(np.float32(j + 1) * wide) + left, 0), width)
                if y1 > y0 and x1 > x0:
                    out[r, :, i, j] = features[y0:y1, x0:x1].max(axis=(0, 1))
    return out


@given(st.data())
def test_pooling_is_what_the_loops_give(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 17)), data.draw(st.integers(1, 17))
    bins = data.draw(st.sampled_from([1, 2, 3, 7, 14]))
    features = (
        np.random.default_rng(height * 32 + width).standard_normal((height, width, 2)).astype(np.float32)
    )
    # Multiples of a quarter cell: halves are met; reversed, empty and outside are common.
    corners = st.integers(-20, 90).map(lambda quarter: 4.0 * quarter)
    rois = data.draw(hnp.arrays(np.float32, (data.draw(st.integers(0, 4)), 4), elements=corners))
    found = roi_pool(torch.from_numpy(features), torch.from_numpy(rois), bins, 1 / 16)
    np.testing.assert_array_equal(found.numpy(), by_loops(features, rois, bins, 1 / 16))


@given(st.floats(-1e4, 1e4, width=32))
@example(0.49999997)
@example(-0.49999997)
@example(2.5)
@example(-2.5)
@example(8388609.0)
def test_halves_go_away_from_zero(value: float) -> None:
    found = nearest_cells(torch.full((1, 4), value), 1.0)
    exact = floor(abs(value)) + (abs(value) - floor(abs(value)) >= 0.5)
    assert found.tolist() == [[exact if value >= 0 else -exact] * 4]


def test_large_windows_and_negative_features() -> None:
    features = torch.from_numpy(np.random.default_rng(0).uniform(-9, -1, (50, 83, 3)).astype(np.float32))
    rois = np.float32([[0, 0, 1327, 799], [0, 0, 3, 3], [500, 300, 499, 200], [2000, 2000, 2100, 2100]])
    found = roi_pool(features, torch.from_numpy(rois), 3, 1 / 16)
    np.testing.assert_array_equal(found.numpy(), by_loops(features.numpy(), rois, 3, 1 / 16))
    assert found[0].max() < 0 and not found[3].any()  # outside: empty, hence 0


def test_distinct_windows_are_those_there_were() -> None:
    corners = torch.tensor([[0, 0, 4, 4], [1, 1, 6, 3], [0, 0, 4, 4], [30, 0, 4, 4]])
    places = windows(corners, 14, 12, 9)
    unique, which = distinct(places)
    assert torch.equal(unique[which], places)
    assert (
        len(unique) == len({tuple(row) for row in places.view(-1, 4).tolist()}) < places[..., 0].numel() / 3
    )
    assert len(pool_windows(torch.zeros(12, 9, 1), unique)) == len(unique)


@given(st.integers(1, 13), st.integers(0, 3), st.integers(1, 4), st.integers(1, 5), st.integers(0, 99))
def test_winograd_is_the_convolution(side: int, squares: int, into: int, out: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(squares, into, side, side, generator=draw, dtype=torch.float64)
    weight = torch.randn(out, into, 3, 3, generator=draw, dtype=torch.float64)
    bias = torch.randn(out, generator=draw, dtype=torch.float64)
    expected = torch.nn.functional.conv2d(x, weight, bias, padding=1)
    cells = x.float().permute(2, 3, 0, 1).reshape(side * side, squares, into)
    found = WinogradConvolution(weight, bias, side)(cells)
    error = (found.view(side, side, squares, out).permute(2, 3, 0, 1) - expected).abs()
    assert not squares or error.max() <= 1e-5 * expected.abs().max().clamp(min=1)


def test_winograd_of_many_channels_stays_within_rounding() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(4, 512, 7, 7, generator=draw, dtype=torch.float64)  # no signs: nothing cancels
    weight = torch.randn(64, 512, 3, 3, generator=draw, dtype=torch.float64)
    expected = torch.nn.functional.conv2d(x, weight, padding=1)
    cells = x.float().permute(2, 3, 0, 1).reshape(49, 4, 512)
    found = WinogradConvolution(weight, torch.zeros(64, dtype=torch.float64), 7)(cells)
    error = (found.view(7, 7, 4, 64).permute(2, 3, 0, 1) - expected).abs().max()
    assert error <= 1e-5 * expected.abs().max()
    assert WinogradConvolution(weight, torch.zeros(64, dtype=torch.float64), 7).into.shape == (121, 49)


@pytest.mark.parametrize("winograd", [True, False])
@pytest.mark.parametrize("at_once", [1, 4, 16])
@pytest.mark.parametrize("bins", [14, 4, 2])
def test_res5_is_the_layers_as_written(winograd: bool, at_once: int, bins: int) -> None:
    blocks = stage(SMALL, 5)
    blocks.load_state_dict(random_state(blocks, 3))
    draw = np.random.default_rng(2)
    features = torch.from_numpy(draw.standard_normal((20, 30, 48)).astype(np.float32))
    corners = draw.uniform(0, 300, (7, 2))
    rois = np.concatenate([corners, corners + draw.uniform(0, 200, (7, 2))], axis=1).astype(np.float32)
    rois[3], rois[4] = rois[0], [0, 0, 0, 0]
    rois[5] = rois[0] + 0.01  # the same cells
    given_rois = torch.from_numpy(rois)
    with torch.inference_mode():
        expected = blocks.eval()(roi_pool(features, given_rois, bins, 1 / 16)).mean(dim=(2, 3))
        fast = FoldedRes5(blocks, bins, torch.float32, winograd, at_once)
        found = fast(features, given_rois, 1 / 16)
        assert torch.equal(found, fast(features, given_rois, 1 / 16))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
    assert torch.equal(found[3], found[0]) and torch.equal(found[5], found[0])


@pytest.mark.parametrize("caffe", [True, False])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (67, 93)])
def test_folded_backbone_is_the_layers_as_written(caffe: bool, height: int, width: int) -> None:
    config = DetectorConfig(depth=50, stem_width=6, res2_width=12, bottleneck=5, caffe_max_pool=caffe)
    backbone = Backbone(config).eval()
    backbone.load_state_dict(random_state(backbone, 1))
    images = 50 * torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = backbone(images).permute(0, 2, 3, 1)
        found = FoldedBackbone(backbone, torch.float32)(images)
    assert found.shape == (2, -(-height // 16), -(-width // 16), 48) and float(expected.std()) > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_bfloat16_is_close() -> None:
    blocks = stage(SMALL, 5)
    blocks.load_state_dict(random_state(blocks, 3))
    draw = torch.Generator().manual_seed(5)
    features = torch.rand(20, 30, 48, generator=draw)
    corners = 200 * torch.rand(6, 2, generator=draw)
    rois = torch.cat([corners, corners + 100], dim=1)
    with torch.inference_mode():
        whole = FoldedRes5(blocks, 14, torch.float32, True)(features, rois, 1 / 16)
        half = FoldedRes5(blocks, 14, torch.bfloat16, False)(features.bfloat16(), rois, 1 / 16)
    assert half.dtype == torch.float32 and not torch.equal(half, whole)
    assert (half - whole).abs().max() <= 0.03 * whole.abs().max()

"""The detector: a checkpoint's names, what it refuses, boxes, what is selected, batches and repeats."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the detector needs the torch extra")

from hlx.errors import ModelError  # noqa: E402
from hlx.models.torch.lxmert.detector.detections import select  # noqa: E402
from hlx.models.torch.lxmert.detector.detector_config import DetectorConfig, read_detector_config  # noqa: E402
from hlx.models.torch.lxmert.detector.faster_rcnn import Detector, FasterRCNN, Regions, load_detector, resized  # noqa: E402
from hlx.models.torch.lxmert.detector.proposals import cell_anchors, clipped, decoded, grid_anchors  # noqa: E402
from tests.kernels.test_suppression import by_definition  # noqa: E402
from tests.support.detector_checkpoints import make_detector  # noqa: E402
from tests.support.detector_names import released_shapes  # noqa: E402

NUMBER = 9  # of regions, in the tiny detectors
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny detector; nothing changes it."""
    return make_detector(tmp_path_factory.mktemp("detector"))


@pytest.fixture(scope="module")
def detector(folder: Path) -> Detector:
    """The tiny detector as users run it."""
    return load_detector(folder)


def photographs(m: int, height: int = 48, width: int = 48, seed: int = 0) -> torch.Tensor:
    """Smooth random images."""
    draw = torch.Generator().manual_seed(seed)
    coarse = torch.rand(m, 3, 6, 6, generator=draw)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    return smooth.mul(255).clamp(0, 255).to(torch.uint8)


def assert_same(found: Regions, expected: Regions) -> None:
    """Equal up to rounding."""
    scale = float(expected.features.abs().max())
    torch.testing.assert_close(found.features, expected.features, rtol=1e-4, atol=1e-5 * scale)
    torch.testing.assert_close(found.boxes, expected.boxes, rtol=0, atol=1e-4)
    assert torch.equal(found.found, expected.found)


# The checkpoint


def test_names_and_shapes_are_the_released_models() -> None:
    with torch.device("meta"):
        state = FasterRCNN(DetectorConfig()).state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == released_shapes()


@pytest.mark.parametrize(
    "options", [{"weights": "pickled"}, {"config": "json"}, {"config": "lower"}, {"counters": True}]
)
def test_every_form_of_a_folder_is_the_same_detector(
    options: dict, folder: Path, detector: Detector, tmp_path: Path
) -> None:
    other = make_detector(tmp_path / "other", **options)
    assert read_detector_config(other)[0] == read_detector_config(folder)[0]
    for one, two in zip(
        load_detector(other).regions(photographs(1)), detector.regions(photographs(1)), strict=True
    ):
        assert torch.equal(one, two)


def edited(folder: Path, tmp_path: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    """A copy whose weights went through `edit`."""
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    edit(state)
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.yaml").write_bytes((folder / "config.yaml").read_bytes())
    return tmp_path


def refusal(folder: Path) -> str:
    """The one line of the ModelError, which names the folder."""
    with pytest.raises(ModelError) as caught:
        load_detector(folder)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600 and str(folder) in message
    return message


MEAN = "backbone.res3.2.conv2.norm.running_mean"


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda s: s.pop(MEAN), f"{MEAN} is missing"),
        (lambda s: s.pop("roi_heads.box_predictor.attr_score.weight"), "attr_score.weight is missing"),
        (lambda s: s.update(extra=torch.zeros(3)), "unexpected key extra of shape (3,)"),
        (lambda s: s.update({MEAN: torch.zeros(3)}), f"{MEAN} has shape (3,); config.yaml asks for (8,)"),
        (
            lambda s: s["proposal_generator.anchor_generator.cell_anchors.0"].mul_(2),
            "ANCHOR_GENERATOR.SIZES and ASPECT_RATIOS in config.yaml ask for",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    edit: Callable, expected: str, folder: Path, tmp_path: Path
) -> None:
    assert expected in refusal(edited(folder, tmp_path, edit))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("ROI_HEADS.NUM_CLASSES", 8, "bbox_pred.bias has shape (28,); config.yaml asks for (32,)"),
        ("RESNETS.DEPTH", 101, "is missing"),
        ("RESNETS.DEPTH", 18, "RESNETS.DEPTH is 18; expected one of 50, 101, 152"),
        ("ANCHOR_GENERATOR.SIZES", [[8, 16]], "asks for (6, 4)"),
        ("ANCHOR_GENERATOR.SIZES", [[8], [16], [32]], "expected numbers for the one level res4"),
        ("RESNETS.NORM", "GN", "RESNETS.NORM is 'GN'; this port of the detector needs 'BN' or 'FrozenBN'"),
        ("RESNETS.OUT_FEATURES", ["res2", "res3", "res4", "res5"], "RESNETS.OUT_FEATURES is"),
        ("RPN.IN_FEATURES", ["p2", "p3"], "needs ['res4']"),
        ("ROI_BOX_HEAD.POOLER_TYPE", "ROIAlignV2", "needs 'ROIPool'"),
        ("ROI_BOX_HEAD.POOLER_RESOLUTION", 7, "POOLER_RESOLUTION is 7; expected an even number"),
        ("ROI_BOX_HEAD.RES5HALVE", True, "RES5HALVE is True"),
        ("ROI_BOX_HEAD.NUM_ATTRS", 6, "attr_score"),
        ("ROI_BOX_HEAD.BBOX_REG_WEIGHTS", [1, 2], "expected 4 numbers"),
        ("MIN_DETECTIONS", 5, "MIN_DETECTIONS is 5; expected MAX_DETECTIONS, which is 9"),
        ("RPN.NMS_THRESH", 1.5, "RPN.NMS_THRESH is 1.5; expected 0 to 1"),
        ("RPN.NMS_THRESH", "much", "RPN.NMS_THRESH is 'much'; expected a number"),
        ("INPUT.FORMAT", "XYZ", "INPUT.FORMAT is 'XYZ'; this port of the detector needs 'BGR' or 'RGB'"),
        ("ROI_HEADS.NMS_THRESH_TEST", [], "NMS_THRESH_TEST is []; expected one or more numbers"),
        ("ROI_HEADS.NMS_THRESH_TEST", [[0.5], [0.6]], "NMS_THRESH_TEST is [[0.5], [0.6]]; expected numbers"),
        ("INPUT.MIN_SIZE_TEST", 0, "INPUT.MIN_SIZE_TEST is 0; expected at least 1"),
        ("INPUT.MIN_SIZE_TEST", 63.5, "expected a whole number"),
        ("MODEL.MAX_POOL", "yes", "expected true or false"),
    ],
)
def test_configs_that_do_not_fit_are_refused(
    key: str, value: Any, expected: str, folder: Path, tmp_path: Path
) -> None:
    import yaml

    from tests.support.detector_checkpoints import TINY, changed

    copy = edited(folder, tmp_path, lambda state: None)
    (copy / "config.yaml").write_text(yaml.safe_dump(changed(TINY, {key: value})))
    assert expected in refusal(copy)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [", "cannot be read as YAML"),
        ("- 1", "holds a list"),
        ("a: !!python/object/apply:os.getcwd []", "cannot be read as YAML"),
    ],
)
def test_broken_yaml_is_refused(text: str, expected: str, folder: Path, tmp_path: Path) -> None:
    copy = edited(folder, tmp_path, lambda state: None)
    (copy / "config.yaml").write_text(text)
    assert expected in refusal(copy)


def test_blue_comes_first_whatever_the_format(folder: Path, detector: Detector, tmp_path: Path) -> None:
    other = load_detector(make_detector(tmp_path, {"INPUT.FORMAT": "RGB"}))
    assert torch.equal(other.prepared(photographs(1)), detector.prepared(photographs(1)))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"model_type": "clip", "text_config": {}}', "model_type is 'clip'"),
        ("{}", "none of its keys is there"),
    ],
)
def test_another_model_s_folder_is_no_detector(tmp_path: Path, content: str, found: str) -> None:
    (tmp_path / "config.json").write_text(content)
    assert refusal(tmp_path).endswith(f"config.json: no Faster R-CNN: {found}")


def test_a_folder_without_config_is_no_detector(tmp_path: Path) -> None:
    assert "config.yaml is missing" in refusal(tmp_path)


def test_what_a_config_leaves_out_is_the_released_model(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("model:\n  roi_heads:\n    nms_thresh_test: 0.3\n")
    config, source = read_detector_config(tmp_path)
    assert config == DetectorConfig(overlaps=(0.3,)) and source == "config.yaml"


# Boxes


def test_anchors_have_their_areas_and_ratios() -> None:
    anchors = cell_anchors(DetectorConfig())
    sides = anchors[:, 2:] - anchors[:, :2]
    torch.testing.assert_close(anchors[:, :2], -anchors[:, 2:])
    torch.testing.assert_close(sides.prod(1).sqrt(), torch.tensor([64.0, 128, 256, 512]).repeat_interleave(3))
    torch.testing.assert_close(sides[:, 1] / sides[:, 0], torch.tensor([0.5, 1, 2]).repeat(4))
    grid = grid_anchors(anchors, 2, 3, 0.0).view(2, 3, 12, 4)
    torch.testing.assert_close(grid[1, 2] - anchors, torch.tensor([32.0, 16, 32, 16]).expand(12, 4))


def test_decoding_moves_grows_and_clamps() -> None:
    box = torch.tensor([[10.0, 20, 30, 60]])
    weights = (10.0, 10.0, 5.0, 5.0)
    torch.testing.assert_close(decoded(torch.zeros(1, 4), box, weights), box)
    moved = decoded(torch.tensor([[10.0, -5, 5 * math.log(2), 0]]), box, weights)
    torch.testing.assert_close(moved, torch.tensor([[20.0, 0, 60, 40]]))
    grown = decoded(torch.tensor([[0, 0, 1e30, torch.inf]]), box, weights)
    torch.testing.assert_close(grown[:, 2:] - grown[:, :2], torch.tensor([[1250.0, 2500]]))
    torch.testing.assert_close(clipped(grown, 50, 40), torch.tensor([[0.0, 0, 40, 50]]))


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_resizing_keeps_the_shorter_side_or_the_longer_one(height: int, width: int) -> None:
    found = resized(height, width, DetectorConfig())
    assert min(found) >= 1 and max(found) <= 1333 and (min(found) == 800 or max(found) == 1333)
    assert (found[0] <= found[1]) == (height <= width) or abs(found[0] - found[1]) <= 1


def test_preparation_is_blue_first_less_the_mean(folder: Path, detector: Detector) -> None:
    images = photographs(1, 64, 64)
    mean = torch.tensor([102.9801, 115.9465, 122.7717])[:, None, None]
    torch.testing.assert_close(detector.prepared(images)[0], images[0][[2, 1, 0]].float() - mean)
    small = torch.full((1, 3, 20, 20), 7, dtype=torch.uint8)
    assert detector.prepared(small).shape == (1, 3, 64, 64)
    torch.testing.assert_close(detector.prepared(small)[0, :, 5, 5], 7 - mean[:, 0, 0])


def test_divisible_sizes_are_padded_below_and_right(tmp_path: Path) -> None:
    padding = load_detector(make_detector(tmp_path, {"SIZE_DIVISIBILITY": 48}))
    prepared = padding.prepared(photographs(1, 64, 80))
    assert prepared.shape == (1, 3, 96, 96)
    assert (
        not prepared[:, :, 64:].any() and not prepared[:, :, :, 80:].any() and prepared[:, :, :64, :80].all()
    )
    boxes = padding.regions(photographs(2, 64, 80)).boxes
    assert boxes.min() >= 0 and boxes.max() <= 1


# What is selected


def one_by_one(boxes: np.ndarray, scores: np.ndarray, overlaps: list[float], number: int) -> tuple[list, int]:
    """`select` of one image, from its docstring."""
    kept: list[int] = []
    for threshold in overlaps:
        kept = by_definition(boxes, scores, threshold, number, np.ones(len(boxes), bool))
        if len(kept) == number:
            break
    rest = sorted(set(range(len(boxes))) - set(kept), key=lambda i: (-scores[i], i))
    rows = kept + rest
    return [rows[i % len(rows)] for i in range(number)], len(kept)


@given(st.data())
def test_selection_is_what_it_says(data: st.DataObject) -> None:
    m, n = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 9))
    number = data.draw(st.integers(1, 12))
    overlaps = data.draw(st.sampled_from([[0.5], [0.3, 0.6], [0.1, 0.5, 0.9]]))
    cells = st.integers(0, 4).map(float)
    boxes = np.float32([[[data.draw(cells) for _ in range(4)] for _ in range(n)] for _ in range(m)])
    scores = np.float32([[data.draw(st.sampled_from([0.1, 0.5, 0.9])) for _ in range(n)] for _ in range(m)])
    counts = [data.draw(st.integers(1, n)) for _ in range(m)]
    rows, found = select(
        torch.from_numpy(boxes), torch.from_numpy(scores), torch.tensor(counts), tuple(overlaps), number
    )
    for i, count in enumerate(counts):
        expected, left = one_by_one(boxes[i, :count], scores[i, :count], overlaps, number)
        assert rows[i].tolist() == expected and int(found[i]) == left


def test_equal_scores_of_one_box_fill_by_index() -> None:
    boxes = torch.tensor([1.0, 1, 5, 5]).expand(1, 4, 4).contiguous()
    rows, found = select(boxes, torch.full((1, 4), 0.3), torch.tensor([3]), (0.5, 0.9), 7)
    assert rows.tolist() == [[0, 1, 2, 0, 1, 2, 0]] and found.tolist() == [1]


# Whole images


@pytest.mark.parametrize(("height", "width"), [(48, 48), (40, 96), (64, 64)])
def test_savings_change_nothing(folder: Path, detector: Detector, height: int, width: int) -> None:
    images = photographs(3, height, width)
    found = detector.regions(images)
    assert_same(found, load_detector(folder, plain=True).regions(images))
    assert found.features.shape == (3, NUMBER, 64) and found.boxes.shape == (3, NUMBER, 4)
    assert found.features.std() > 0.1 and found.boxes.std() > 0.1 and found.found.min() > 1


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_batch_is_its_images_and_runs_repeat(folder: Path, dtype: str) -> None:
    detector = load_detector(folder, dtype=dtype)
    images = photographs(4)
    images[1] = 128
    batch = detector.regions(images)
    for one, two in zip(batch, detector.regions(images), strict=True):
        assert torch.equal(one, two)
    alone = [detector.regions(image[None]) for image in images]
    if dtype == "float32":
        assert_same(batch, Regions(*(torch.cat(parts) for parts in zip(*alone, strict=True))))
    assert torch.isfinite(batch.features).all() and batch.features.dtype == torch.float32


def test_images_without_anything_have_regions_all_the_same(detector: Detector) -> None:
    images = torch.stack([torch.zeros(3, 32, 32), torch.full((3, 32, 32), 255), torch.full((3, 32, 32), 103)])
    found = detector.regions(images.to(torch.uint8))
    assert torch.isfinite(found.features).all() and found.found.min() >= 1
    assert found.boxes.min() >= 0 and found.boxes.max() <= 1


def test_an_image_without_proposals_is_one_region(folder: Path, tmp_path: Path) -> None:
    def far_away(state: dict[str, torch.Tensor]) -> None:
        state["proposal_generator.rpn_head.anchor_deltas.bias"].fill_(-1e4)

    lost = load_detector(edited(folder, tmp_path, far_away))
    found = lost.regions(photographs(2))
    assert found.found.tolist() == [1, 1]
    assert torch.equal(found.features, found.features[:, :1].expand(-1, NUMBER, -1))
    assert_same(found, load_detector(tmp_path, plain=True).regions(photographs(2)))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("proposal_generator.rpn_head.conv.weight", "scores and deltas of anchors are NaN"),
        ("proposal_generator.rpn_head.objectness_logits.weight", "scores and deltas of anchors are NaN"),
        ("proposal_generator.rpn_head.anchor_deltas.bias", "scores and deltas of anchors are NaN"),
        ("roi_heads.box_predictor.cls_score.weight", "scores and boxes of regions are NaN"),
        ("roi_heads.box_predictor.bbox_pred.weight", "scores and boxes of regions are NaN"),
        ("backbone.stem.conv1.weight", "scores and deltas of anchors are NaN"),
    ],
)
def test_numbers_that_are_none_are_no_regions(folder: Path, tmp_path: Path, name: str, said: str) -> None:
    """Sorted last, as suppression does, they would pass for regions without objects."""
    broken = edited(folder, tmp_path, lambda state: state[name].view(-1)[:].fill_(torch.nan))
    with pytest.raises(ModelError, match=said):
        load_detector(broken).regions(photographs(2))


def test_anchors_that_are_no_numbers_are_refused(folder: Path, tmp_path: Path) -> None:
    name = "proposal_generator.anchor_generator.cell_anchors.0"
    broken = edited(folder, tmp_path, lambda state: state[name][3].fill_(torch.nan))
    assert "in row 3" in refusal(broken)


def test_few_proposals_repeat(folder: Path, tmp_path: Path) -> None:
    few = load_detector(make_detector(tmp_path, {"RPN.POST_NMS_TOPK_TEST": 4}))
    found = few.regions(photographs(1))
    assert torch.equal(found.boxes[:, 4:8], found.boxes[:, :4])
    assert torch.equal(found.features[:, 8], found.features[:, 0]) and int(found.found) <= 4


def test_without_the_attribute_head(tmp_path: Path) -> None:
    bare = load_detector(make_detector(tmp_path, {"ROI_BOX_HEAD.ATTR": False, "ROI_BOX_HEAD.NUM_ATTRS": -1}))
    assert not hasattr(bare.predictor, "fc_attr")
    assert torch.isfinite(bare.regions(photographs(1)).features).all()

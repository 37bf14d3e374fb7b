"""Names and shapes in the released detector's state dict, from what is published of it.

Bottom-up attention (Anderson et al. 2018) in detectron2's names: ResNet-101 up to res4 (He et al. 2016,
table 1), 12 anchors, 512 hidden channels of the region proposal network, res5 in the region heads, 1,600
classes and the background, 400 attributes and none, class embeddings of 256. All of them are listed in
detector_state_dict.txt.
"""

from __future__ import annotations

from pathlib import Path

LIST = Path(__file__).with_name("detector_state_dict.txt")


def released_shapes() -> dict[str, tuple[int, ...]]:
    """Every name with its shape."""
    pairs = (line.split() for line in LIST.read_text().splitlines())
    return {name: tuple(map(int, shape.split("x"))) for name, shape in pairs}

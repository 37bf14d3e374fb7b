"""From regions' features to the fixed number of regions that LXMERT sees."""

from __future__ import annotations

import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from hlx.models.torch.lxmert.detector.detector_config import DetectorConfig
from hlx.models.torch.lxmert.detector.proposals import decoded, kept_rows


class BoxPredictor(nn.Module):
    """Classes (the last is the background) and each class's own deltas.

    The attribute head is there because checkpoints have it; LXMERT takes no attributes and nothing computes
    them.
    """

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        width, embedding = config.res2_width * 8, config.res2_width
        self.cls_score = nn.Linear(width, config.classes + 1)
        self.bbox_pred = nn.Linear(width, 4 * config.classes)
        if config.has_attributes:
            self.cls_embedding = nn.Embedding(config.classes + 1, embedding)
            self.fc_attr = nn.Linear(width + embedding, width // 4)
            self.attr_score = nn.Linear(width // 4, config.attributes + 1)

    def forward(
        self,
        features: Float32[Tensor, "n d"],
        boxes: Float32[Tensor, "n 4"],
        weights: tuple[float, ...],
    ) -> tuple[Float32[Tensor, " n"], Float32[Tensor, "n 4"]]:
        """Probability of each region's best class, the background aside, and that class's box."""
        logits = self.cls_score(features)
        best, classes = logits[:, :-1].max(dim=1)
        scores = torch.exp(best - logits.logsumexp(dim=1))
        rows = self.bbox_pred.weight.view(-1, 4, features.shape[1])[classes]
        deltas = torch.bmm(rows, features[..., None])[..., 0] + self.bbox_pred.bias.view(-1, 4)[classes]
        return scores, decoded(deltas, boxes, weights)


def select(
    boxes: Float32[Tensor, "m n 4"],
    scores: Float32[Tensor, "m n"],
    counts: Int64[Tensor, " m"],
    overlaps: tuple[float, ...],
    number: int,
) -> tuple[Int64[Tensor, "m {number}"], Int64[Tensor, " m"]]:
    """Which regions LXMERT sees, the best first, and how many of them suppression left.

    Suppression, regardless of class, is tried with each threshold in turn until `number` regions are left.
    Where the last one leaves fewer (nothing to see, or nearly so) the image still needs `number` rows:

    1. those that the last threshold left;
    2. then the best of those that it suppressed: true regions, if similar to others;
    3. then, where there are fewer than `number` at all, those of 1 and 2 over and over. Attention over
       rows that are repeated equally often is attention over the rows.

    Everything is by score, ties by index: the same image gives the same rows.

    Parameters
    ----------
    boxes, scores
        Of each image's regions.
    counts
        How many there are, 1 at least; what comes after is padding.
    overlaps
        Thresholds, tried in this order.
    """
    m, n = scores.shape
    places = torch.arange(n, device=scores.device)
    candidates = places < counts[:, None]
    most = min(number, n)
    kept = torch.full((m, most), -1, dtype=torch.int64, device=scores.device)
    pending = torch.arange(m, device=scores.device)
    for threshold in overlaps:
        kept[pending] = kept_rows(boxes[pending], scores[pending], candidates[pending], threshold, most)
        pending = pending[(kept[pending] >= 0).sum(dim=1) < number]
        if not len(pending):
            break
    found = (kept >= 0).sum(dim=1)
    by_score = torch.where(candidates, scores, -torch.inf)
    rank = by_score.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    # What is kept goes before the rest; where fewer are kept, their places go into a column of no use.
    place = torch.cat([n + rank, rank[:, :1]], dim=1)
    position = torch.arange(most, device=scores.device).expand(m, -1)
    place.scatter_(1, torch.where(kept < 0, n, kept), position)
    order = place[:, :n].argsort(dim=1)
    again = torch.arange(number, device=scores.device) % counts[:, None]
    return order.gather(1, again), found

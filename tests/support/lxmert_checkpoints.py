"""Small random LXMERT checkpoints on disk, made with transformers' PyTorch class."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

from tests.support.checkpoints import WeightType, _random, _save, _write_json
from tests.support.vocabularies import make_bert_tokenizer

MakeLxmert = Callable[..., Path]


def cached_maker(root: Path) -> MakeLxmert:
    """`make_lxmert` in a folder of its own, or the one made before with the same options."""
    made: dict[str, Path] = {}
    numbers = itertools.count()

    def make(**options: object) -> Path:
        key = repr(sorted(options.items()))
        if key not in made:
            made[key] = make_lxmert(root / str(next(numbers)), **options)
        return made[key]

    return make


def make_lxmert(
    folder: Path,
    *,
    width: int = 48,
    heads: int = 3,
    mlp: int = 100,
    language: int = 2,
    relational: int = 2,
    cross: int = 3,
    text_length: int = 40,
    feature_width: int | None = None,
    grid: tuple[int, int, int] | None = (24, 3, 4),
    hidden_act: str = "gelu",
    heads_for_training: bool = True,
    vocab_size: int | None = None,
    dtype: WeightType = "float32",
    shards: int = 1,
    pickle_only: bool = False,
    sparse_config: bool = False,
    seed: int = 0,
) -> Path:
    """Write a random LXMERT with its tokenizer, and where it asks for them, grid features.

    Parameters
    ----------
    folder
        Created if missing.
    width, heads, mlp
        Sizes of all layers.
    language, relational, cross
        Layers of either stream and of both.
    text_length
        Positions of texts.
    feature_width
        Numbers of a region; by default those of a cell of the grid.
    grid
        Side, rows and columns for grid_features.json; None writes none.
    heads_for_training
        The file also holds the heads that guess words, objects and answers.
    vocab_size
        Rows of the token table; default what the tokenizer needs.
    sparse_config
        Leave out of config.json what equals transformers' defaults, and add what old files hold.
    dtype, shards, pickle_only
        As `tests.support.checkpoints.make_clip`.

    Returns
    -------
    Path
        `folder`.
    """
    from transformers import LxmertConfig, LxmertForPreTraining

    folder.mkdir(parents=True, exist_ok=True)
    words = make_bert_tokenizer(folder, length=text_length)
    if grid is not None:
        side, rows, cols = grid
        _write_json(folder / "grid_features.json", {"side": side, "rows": rows, "cols": cols})
        feature_width = feature_width or 3 * (side // rows) * (side // cols)
    config = LxmertConfig(
        vocab_size=vocab_size or len(words),
        hidden_size=width,
        num_attention_heads=heads,
        intermediate_size=mlp,
        hidden_act=hidden_act,
        max_position_embeddings=text_length,
        l_layers=language,
        r_layers=relational,
        x_layers=cross,
        visual_feat_dim=feature_width or 2048,
        num_qa_labels=7,
        num_object_labels=5,
        num_attr_labels=4,
        task_obj_predict=heads_for_training,
        task_qa=heads_for_training,
    )
    model = _random(LxmertForPreTraining(config), seed, scale=1.0)
    for name, parameter in model.named_parameters():
        if name.endswith(("query.weight", "key.weight")):  # many layers of flat attention make all tokens one
            parameter.data *= 2.5
    _save(model, folder, dtype, shards, pickle_only, buffers=False)
    if sparse_config:
        path, default = folder / "config.json", LxmertConfig().to_dict()
        kept = {
            k: v for k, v in json.loads(path.read_text()).items() if k == "model_type" or default.get(k) != v
        }
        kept["num_hidden_layers"] = {"vision": relational, "cross_encoder": cross, "language": language}
        _write_json(path, kept | {"layer_norm_eps": 1e-12})
    return folder

"""Models that read a text with an image before them, BLIP and ViLT, through transformers' layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from hlx.errors import ModelError
from hlx.models.loading.checkpoint import configuration
from hlx.models.loading.processors import Tokenizer
from hlx.models.torch.building import check_tower, side_of, without_weights
from hlx.models.torch.pairwise import MatchingScorer, joined_heads, split_heads
from hlx.models.torch.pixels import Normalised
from hlx.models.torch.state import load_matcher


class BlipScorer(MatchingScorer):
    """BLIP (Li et al. 2022, arXiv:2201.12086): the probability that a text and an image match.

    score = softmax(itm_head(first token))[1], the text encoder reading the text with cross attention to the
    image's tokens. The text begins with its tokenizer's own first token, as in transformers.
    """

    def heavy(self) -> tuple[nn.Module, ...]:
        """Both encoders; not the patch embedding, whose type transformers gives all between the layers."""
        return self.network.vision_model.encoder, self.network.text_encoder.encoder

    def look(self, pixels: Float32[Tensor, "m 3 s s"]) -> Float32[Tensor, "m g d"]:
        """The image's tokens."""
        return self.network.vision_model(pixel_values=pixels).last_hidden_state.float()

    def read(self, ids: Int64[Tensor, "t i"], visible: Bool[Tensor, "t i"]) -> Float32[Tensor, "t i d"]:
        """Tokens after the first layer's self attention, which has seen no image yet."""
        encoder = self.network.text_encoder
        return _self_attended(encoder.encoder.layer[0], encoder.embeddings(ids), visible)

    def match(
        self,
        words: Float32[Tensor, "p i d"],
        visible: Bool[Tensor, "p i"],
        seen: Float32[Tensor, "m g e"],
        images: Int64[Tensor, " p"],
    ) -> Float32[Tensor, " p"]:
        """Probabilities of a match."""
        x = words
        for place, layer in enumerate(self.network.text_encoder.encoder.layer):
            if place > 0:
                x = _self_attended(layer, x, visible)
            inner, heads = layer.crossattention.self, layer.crossattention.self.num_attention_heads
            key, value = (split_heads(product(seen), heads)[images] for product in (inner.key, inner.value))
            context = scaled_dot_product_attention(split_heads(inner.query(x), heads), key, value)
            x = layer.feed_forward_chunk(layer.crossattention.output(joined_heads(context), x))
        return self.network.itm_head(x[:, 0]).softmax(dim=1)[:, 1]


class ViltScorer(MatchingScorer):
    """ViLT (Kim et al. 2021, arXiv:2102.03334): the rank score of a text and an image, any real number.

    score = rank_output(tanh(pool(first token))) of one encoder over the text's tokens and the image's: only
    their embedding is computed apart. Patches keep their order, which transformers shuffles: no layer depends
    on it.
    """

    def heavy(self) -> tuple[nn.Module, ...]:
        """Patch embedding and encoder."""
        return self.network.vilt.embeddings.patch_embeddings, self.network.vilt.encoder

    def look(self, pixels: Float32[Tensor, "m 3 s s"]) -> Float32[Tensor, "m g d"]:
        """Embedded patches after the image's class token."""
        embeddings = self.network.vilt.embeddings
        patches = embeddings.patch_embeddings(pixels).float().flatten(2).transpose(1, 2)
        x = torch.cat([embeddings.cls_token.expand(len(patches), -1, -1), patches], dim=1)
        return x + embeddings.position_embeddings + embeddings.token_type_embeddings.weight[1]

    def read(self, ids: Int64[Tensor, "t i"], visible: Bool[Tensor, "t i"]) -> Float32[Tensor, "t i d"]:
        """Embedded tokens."""
        embeddings = self.network.vilt.embeddings
        return embeddings.text_embeddings(ids) + embeddings.token_type_embeddings.weight[0]

    def match(
        self,
        words: Float32[Tensor, "p i d"],
        visible: Bool[Tensor, "p i"],
        seen: Float32[Tensor, "m g e"],
        images: Int64[Tensor, " p"],
    ) -> Float32[Tensor, " p"]:
        """Rank scores."""
        x = torch.cat([words, seen[images]], dim=1)
        everywhere = visible.new_ones(len(x), seen.shape[1])
        mask = torch.cat([visible, everywhere], dim=1)[:, None, None]
        layers = self.network.vilt.encoder.layer
        for place, layer in enumerate(layers, start=1):
            normed, inner = layer.layernorm_before(x), layer.attention.attention
            key, value = (
                split_heads(product(normed), inner.num_attention_heads)
                for product in (inner.key, inner.value)
            )
            if place == len(layers):  # only the first token is asked for
                x, normed = x[:, :1], normed[:, :1]
            query = split_heads(inner.query(normed), inner.num_attention_heads)
            context = scaled_dot_product_attention(query, key, value, attn_mask=mask)
            x = layer.attention.output(joined_heads(context), x) + x
            x = layer.output(layer.intermediate(layer.layernorm_after(x)), x)
        pooled = self.network.vilt.pooler(self.network.vilt.layernorm(x))
        return self.network.rank_output(pooled)[:, 0]


def _self_attended(
    layer: Any, x: Float32[Tensor, "p i d"], visible: Bool[Tensor, "p i"]
) -> Float32[Tensor, "p i d"]:
    inner = layer.attention.self
    query, key, value = (
        split_heads(product(x), inner.num_attention_heads)
        for product in (inner.query, inner.key, inner.value)
    )
    context = scaled_dot_product_attention(query, key, value, attn_mask=visible[:, None, None])
    return layer.attention.output(joined_heads(context), x)


def load_matching(folder: Path, config: dict[str, Any], dtype: str, device: torch.device) -> MatchingScorer:
    """BLIP or ViLT of a checkpoint's folder.

    Parameters
    ----------
    folder, config
        The checkpoint, and the content of its config.json.
    dtype
        "float32", or "bfloat16" for the products of the encoders' layers.
    device
        Where all runs.

    Raises
    ------
    ModelError
        A file is missing or corrupt; config, weights, tokenizer and image processor do not go together; the
        checkpoint was trained for another task and has no head for matching.
    """
    load = _blip if config["model_type"] == "blip" else _vilt
    return load(folder, config, dtype, device)


class BlipNetwork(nn.Module):
    """The parts of BLIP that the score needs, with the names of a checkpoint's weights."""

    def __init__(self, config: Any) -> None:
        from transformers.models.blip.modeling_blip import BlipTextModel, BlipVisionModel

        super().__init__()
        self.vision_model = BlipVisionModel(config.vision_config)
        self.text_encoder = BlipTextModel(config.text_config, add_pooling_layer=False)
        self.itm_head = nn.Linear(config.text_config.hidden_size, 2)


def _blip(folder: Path, raw: dict[str, Any], dtype: str, device: torch.device) -> BlipScorer:
    config: Any = configuration(folder, raw, "blip", "BlipConfig")
    text = config.text_config
    check_tower(folder, config.vision_config, "vision_config")
    check_tower(folder, text, "text_config")
    if not text.is_decoder:
        raise ModelError(f"{folder}: config.json: text_config.is_decoder is false: texts would see no image")
    side = side_of(folder, config.vision_config)
    tokenizer = Tokenizer(folder, text.max_position_embeddings, to_limit=False, masked=True)
    normalised = Normalised(folder, "blip", side)
    network = without_weights(folder, BlipNetwork, config)
    load_matcher(network, folder, "blip", "itm_head", ("vision_proj.", "text_proj."))
    return BlipScorer(network.to(device), tokenizer, normalised.to(device), text.vocab_size, dtype)


def _vilt(folder: Path, raw: dict[str, Any], dtype: str, device: torch.device) -> ViltScorer:
    from transformers.models.vilt.modeling_vilt import ViltForImageAndTextRetrieval

    config: Any = configuration(folder, raw, "vilt", "ViltConfig")
    check_tower(folder, config)
    side = side_of(folder, config)
    patches = (side // config.patch_size) ** 2
    if 0 <= config.max_image_length < patches:
        raise ModelError(
            f"{folder}: config.json: max_image_length is {config.max_image_length}: some of the {patches} "
            "patches would be left out at random; -1 keeps them all"
        )
    tokenizer = Tokenizer(folder, config.max_position_embeddings, to_limit=False, masked=True)
    normalised = Normalised(folder, "vilt", side)
    network = without_weights(folder, ViltForImageAndTextRetrieval, config)
    load_matcher(network, folder, "vilt", "rank_output")
    return ViltScorer(network.to(device), tokenizer, normalised.to(device), config.vocab_size, dtype)

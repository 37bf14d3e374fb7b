"""What the embedded models make of pixels with hidden cells and of token ids, while they are trained."""

from abc import abstractmethod

import numpy as np
import torch
import transformers
from jaxtyping import Bool, Float, Int, UInt8
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torch.nn.functional import normalize

from hlx.games import scenes


class Cover(torch.nn.Module):
    """Squares of pixels whose hidden cells show what hidden regions show: the image blurred."""

    def __init__(self) -> None:
        super().__init__()
        # A Gaussian of sigma 15.2 and radius 49 at 224 pixels.
        side = scenes.SIDE
        sigma, radius = 15.2 / 224 * side, 49 * side // 224
        blur = gaussian_filter1d(np.eye(side), sigma, axis=0, mode="mirror", radius=radius)
        self.blur = torch.tensor(blur, dtype=torch.float32)

    def forward(
        self, squares: UInt8[Tensor, "b 64 64 3"], hidden: Bool[Tensor, "b 16"]
    ) -> Float[Tensor, "b 3 64 64"]:
        """Pixels from 0 to 1."""
        x = squares.permute(0, 3, 1, 2).float() / 255
        cover = hidden.view(-1, 1, 4, 4).float()
        cover = cover.repeat_interleave(scenes.CELL, 2).repeat_interleave(scenes.CELL, 3)
        return x + cover * (self.blur @ x @ self.blur.T - x)


class Towers(torch.nn.Module):
    """Normalised embeddings of images and of texts, by towers that do not see each other."""

    eyes = "vision_model"

    def __init__(self, model: torch.nn.Module, processor: transformers.BaseImageProcessor) -> None:
        super().__init__()
        self.model, self.cover = model, Cover()
        self.mean = torch.tensor(processor.image_mean).view(1, 3, 1, 1)
        self.std = torch.tensor(processor.image_std).view(1, 3, 1, 1)

    def images(
        self, squares: UInt8[Tensor, "b 64 64 3"], hidden: Bool[Tensor, "b 16"]
    ) -> tuple[Float[Tensor, "b p"], Float[Tensor, "b 16 d"]]:
        """Embed images whose hidden cells are blurred; also the tokens of the patches."""
        pooled, patches = self.see((self.cover(squares, hidden) - self.mean) / self.std)
        return normalize(pooled, dim=-1), patches

    def texts(self, ids: Int[Tensor, "t n"], attention: Int[Tensor, "t n"]) -> Float[Tensor, "t p"]:
        """Embed texts."""
        return normalize(self.read(ids, attention), dim=-1)

    def scores(self, images: Float[Tensor, "b p"], texts: Float[Tensor, "t p"]) -> Float[Tensor, "b t"]:
        """Scores of all pairs of embeddings."""
        return images @ texts.T * self.model.logit_scale.exp()

    @abstractmethod
    def see(self, x: Float[Tensor, "b 3 64 64"]) -> tuple[Float[Tensor, "b p"], Float[Tensor, "b 16 d"]]:
        """Projected embeddings of normalised pixels, and the tokens of the patches."""

    @abstractmethod
    def read(self, ids: Int[Tensor, "t n"], attention: Int[Tensor, "t n"]) -> Float[Tensor, "t p"]:
        """Projected embeddings of token ids."""


class ClipTowers(Towers):
    """CLIP's. Its last block passes on the class token only: the patches are taken before it."""

    def see(self, x: Float[Tensor, "b 3 64 64"]) -> tuple[Float[Tensor, "b p"], Float[Tensor, "b 16 d"]]:
        """As in `Towers`."""
        out = self.model.vision_model(pixel_values=x, output_hidden_states=True)
        return self.model.visual_projection(out.pooler_output), out.hidden_states[-2][:, 1:]

    def read(self, ids: Int[Tensor, "t n"], attention: Int[Tensor, "t n"]) -> Float[Tensor, "t p"]:
        """As in `Towers`."""
        pooled = self.model.text_model(input_ids=ids, attention_mask=attention).pooler_output
        return self.model.text_projection(pooled)


class SiglipTowers(Towers):
    """SigLIP's, which have no projections of their own; scores have a bias."""

    def see(self, x: Float[Tensor, "b 3 64 64"]) -> tuple[Float[Tensor, "b p"], Float[Tensor, "b 16 d"]]:
        """As in `Towers`."""
        out = self.model.vision_model(pixel_values=x)
        return out.pooler_output, out.last_hidden_state

    def read(self, ids: Int[Tensor, "t n"], attention: Int[Tensor, "t n"]) -> Float[Tensor, "t p"]:
        """As in `Towers`; padding is read like any word."""
        return self.model.text_model(input_ids=ids).pooler_output

    def scores(self, images: Float[Tensor, "b p"], texts: Float[Tensor, "t p"]) -> Float[Tensor, "b t"]:
        """As in `Towers`."""
        return super().scores(images, texts) + self.model.logit_bias


class FlavaTowers(Towers):
    """FLAVA's: projections of the first token after the tower's last LayerNorm, not of its pooler's."""

    eyes = "image_model"

    def see(self, x: Float[Tensor, "b 3 64 64"]) -> tuple[Float[Tensor, "b p"], Float[Tensor, "b 16 d"]]:
        """As in `Towers`; the patches before the last block, as CLIP's."""
        out = self.model.image_model(pixel_values=x, output_hidden_states=True)
        return self.model.image_projection(out.last_hidden_state[:, 0]), out.hidden_states[-2][:, 1:]

    def read(self, ids: Int[Tensor, "t n"], attention: Int[Tensor, "t n"]) -> Float[Tensor, "t p"]:
        """As in `Towers`."""
        out = self.model.text_model(input_ids=ids, attention_mask=attention)
        return self.model.text_projection(out.last_hidden_state[:, 0])


TOWERS = {"clip": ClipTowers, "siglip": SiglipTowers, "flava": FlavaTowers}


def grid_features(x: Float[Tensor, "b 3 64 64"]) -> Float[Tensor, "b 16 768"]:
    """Features of the cells of a grid, row by row: the pixels (y, x, channel) of one, from -1 to 1."""
    cell, count = scenes.CELL, scenes.SIDE // scenes.CELL
    cells = (2 * x - 1).view(-1, 3, count, cell, count, cell)
    return cells.permute(0, 2, 4, 3, 5, 1).reshape(-1, count * count, 3 * cell * cell)


def grid_boxes() -> Float[Tensor, "16 4"]:
    """Boxes (x0, y0, x1, y1) of the cells, row by row, in shares of the side."""
    count = scenes.SIDE // scenes.CELL
    corner = torch.stack(torch.meshgrid(*[torch.arange(count)] * 2, indexing="xy"), -1).view(-1, 2)
    return torch.cat([corner, corner + 1], 1) / count


class Fusion(torch.nn.Module):
    """LXMERT's streams and matching score; the stream of a text, or of an image, once for all its pairs."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model, self.cover, self.boxes = model, Cover(), grid_boxes()

    def images(
        self, squares: UInt8[Tensor, "b 64 64 3"], hidden: Bool[Tensor, "b 16"]
    ) -> Float[Tensor, "b 16 d"]:
        """The cells of images whose hidden ones are blurred, before they meet a text."""
        encoder = self.model.lxmert.encoder
        features = grid_features(self.cover(squares, hidden))
        cells = encoder.visn_fc(features, self.boxes.expand(len(features), -1, -1))
        for layer in encoder.r_layers:
            cells = layer(cells)[0]
        return cells

    def texts(self, ids: Int[Tensor, "t n"], blocked: Float[Tensor, "t 1 1 n"]) -> Float[Tensor, "t n d"]:
        """The tokens of texts before they meet an image."""
        words = self.model.lxmert.embeddings(ids, torch.zeros_like(ids))
        for layer in self.model.lxmert.encoder.layer:
            words = layer(words, blocked)[0]
        return words

    def scores(
        self,
        cells: Float[Tensor, "p 16 d"],
        words: Float[Tensor, "p n d"],
        blocked: Float[Tensor, "p 1 1 n"],
    ) -> tuple[Float[Tensor, " p"], Float[Tensor, "p n d"]]:
        """Log odds of a match, and the tokens of the texts before the last layer.

        Of the last layer only what the first token needs.
        """
        *layers, last = self.model.lxmert.encoder.x_layers
        for layer in layers:
            words, cells = layer(words, blocked, cells, None)
        fused = last.visual_attention(words, cells)[0]
        first = fused[:, :1]
        attention = last.lang_self_att
        first = attention.output(attention.self(first, fused, blocked)[0], first)
        first = last.lang_output(last.lang_inter(first), first)
        unmatched, matched = self.model.cls.seq_relationship(self.model.lxmert.pooler(first)).unbind(1)
        return matched - unmatched, words

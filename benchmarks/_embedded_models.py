"""The embedded models before training: tokenizers, configurations, image processors, and the two towers."""

import json
import math
from pathlib import Path

import numpy as np
import torch
import transformers
from jaxtyping import Bool, Float, Int, UInt8
from scipy.ndimage import gaussian_filter1d
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoTokenizer, CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

from hlx import scenes

WIDTH = 96


def make_tokenizer(name: str, folder: Path) -> transformers.PreTrainedTokenizerBase:
    """Byte-level BPE learned on all statements: a word of theirs is one token, other words fall to pieces."""
    corpus = list(scenes.STATEMENTS)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    if name == "clip":
        shape = transformers.CLIPTokenizer(vocab={"<|startoftext|>": 0, "<|endoftext|>": 1}, merges=[])
        bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
        bpe.normalizer = shape.backend_tokenizer.normalizer
        bpe.pre_tokenizer = shape.backend_tokenizer.pre_tokenizer
        bpe.train_from_iterator(
            corpus, trainers.BpeTrainer(vocab_size=2000, end_of_word_suffix="</w>", show_progress=False)
        )
        merges = [tuple(pair) for pair in json.loads(bpe.to_str())["model"]["merges"]]
        words = alphabet + [a + "</w>" for a in alphabet] + ["".join(pair) for pair in merges]
        words = [*dict.fromkeys(words), "<|startoftext|>", "<|endoftext|>"]
        tokenizer = transformers.CLIPTokenizer(
            vocab={word: i for i, word in enumerate(words)}, merges=merges, model_max_length=24
        )
    else:
        bpe = Tokenizer(models.BPE(unk_token="<unk>"))
        bpe.normalizer = normalizers.Sequence(
            [normalizers.NFC(), normalizers.Strip(), normalizers.Lowercase()]
        )
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        bpe.decoder = decoders.ByteLevel()
        special = ["<pad>", "<eos>", "<unk>"]
        bpe.train_from_iterator(
            corpus,
            trainers.BpeTrainer(
                vocab_size=2000, special_tokens=special, initial_alphabet=alphabet, show_progress=False
            ),
        )
        bpe.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=bpe,
            pad_token="<pad>",
            eos_token="<eos>",
            unk_token="<unk>",
            model_max_length=16,
            model_input_names=["input_ids"],
        )
    tokenizer.save_pretrained(folder)
    if name == "clip":
        (folder / "vocab.json").write_text(
            json.dumps({w: i for i, w in enumerate(words)}, ensure_ascii=False)
        )
        (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    return AutoTokenizer.from_pretrained(folder)


def make_model(name: str, tokenizer: transformers.PreTrainedTokenizerBase) -> torch.nn.Module:
    """A model of under 0.4M vision weights, so that 65,536 coalitions take seconds on two cores."""
    width = dict(hidden_size=WIDTH, num_attention_heads=4)
    vision = dict(width, image_size=scenes.SIDE, patch_size=scenes.CELL)
    text = dict(width, vocab_size=len(tokenizer), max_position_embeddings=tokenizer.model_max_length)
    if name == "clip":
        text |= dict(
            num_hidden_layers=2,
            intermediate_size=192,
            projection_dim=WIDTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        vision |= dict(num_hidden_layers=4, intermediate_size=192, projection_dim=WIDTH)
        config = CLIPConfig(
            text_config=text,
            vision_config=vision,
            projection_dim=WIDTH,
            logit_scale_init_value=math.log(20.0),
        )
        return CLIPModel(config)
    text |= dict(
        num_hidden_layers=2,
        intermediate_size=192,
        projection_size=WIDTH,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    vision |= dict(num_hidden_layers=3, intermediate_size=192)
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
    with torch.no_grad():
        model.logit_scale.fill_(math.log(20.0))
        model.logit_bias.fill_(-5.0)
    return model


def make_processor(name: str) -> transformers.BaseImageProcessor:
    """The image processor whose configuration goes with the checkpoint."""
    side = scenes.SIDE
    if name == "clip":
        return transformers.CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        )
    return transformers.SiglipImageProcessorPil(size={"height": side, "width": side})


class Towers(torch.nn.Module):
    """Normalised embeddings of pixels with hidden cells, and of token ids."""

    def __init__(self, name: str, model: torch.nn.Module, processor: transformers.BaseImageProcessor) -> None:
        super().__init__()
        self.name, self.model = name, model
        self.mean = torch.tensor(processor.image_mean).view(1, 3, 1, 1)
        self.std = torch.tensor(processor.image_std).view(1, 3, 1, 1)
        # What hidden regions show: a Gaussian of sigma 15.2 and radius 49 at 224 pixels.
        side = scenes.SIDE
        sigma, radius = 15.2 / 224 * side, 49 * side // 224
        blur = gaussian_filter1d(np.eye(side), sigma, axis=0, mode="mirror", radius=radius)
        self.blur = torch.tensor(blur, dtype=torch.float32)

    def images(
        self, squares: UInt8[Tensor, "b 64 64 3"], hidden: Bool[Tensor, "b 16"]
    ) -> tuple[Float[Tensor, "b p"], Float[Tensor, "b 16 d"]]:
        """Embed images whose hidden cells are blurred; also the tokens of the patches."""
        x = squares.permute(0, 3, 1, 2).float() / 255
        cover = hidden.view(-1, 1, 4, 4).float()
        cover = cover.repeat_interleave(scenes.CELL, 2).repeat_interleave(scenes.CELL, 3)
        x = x + cover * (self.blur @ x @ self.blur.T - x)
        x = (x - self.mean) / self.std
        out = self.model.vision_model(pixel_values=x, output_hidden_states=True)
        if self.name == "clip":
            # CLIP's last block passes on the class token only: the patches are read before it.
            pooled = self.model.visual_projection(out.pooler_output)
            return normalize(pooled, dim=-1), out.hidden_states[-2][:, 1:]
        return normalize(out.pooler_output, dim=-1), out.last_hidden_state

    def texts(self, ids: Int[Tensor, "t n"], attention: Int[Tensor, "t n"]) -> Float[Tensor, "t p"]:
        """Embed texts."""
        if self.name == "clip":
            pooled = self.model.text_model(input_ids=ids, attention_mask=attention).pooler_output
            return normalize(self.model.text_projection(pooled), dim=-1)
        return normalize(self.model.text_model(input_ids=ids).pooler_output, dim=-1)

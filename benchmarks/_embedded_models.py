"""The embedded models before training: tokenizers, configurations and what prepares their images."""

import json
import math
import string
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoTokenizer,
    CLIPConfig,
    CLIPModel,
    FlavaConfig,
    FlavaModel,
    LxmertConfig,
    LxmertForPreTraining,
    SiglipConfig,
    SiglipModel,
)

from hlx.games import scenes

WIDTH = {"clip": 96, "siglip": 96, "flava": 96, "lxmert": 64}


def make_tokenizer(name: str, folder: Path) -> transformers.PreTrainedTokenizerBase:
    """A tokenizer learned on all statements: a word of theirs is one token, other words fall to pieces."""
    {"clip": _clip_tokenizer, "siglip": _siglip_tokenizer}.get(name, _bert_tokenizer)(folder)
    return AutoTokenizer.from_pretrained(folder)


def _clip_tokenizer(folder: Path) -> None:
    """Byte-level BPE with the start and the end of text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    shape = transformers.CLIPTokenizer(vocab={"<|startoftext|>": 0, "<|endoftext|>": 1}, merges=[])
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.normalizer = shape.backend_tokenizer.normalizer
    bpe.pre_tokenizer = shape.backend_tokenizer.pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=2000, end_of_word_suffix="</w>", show_progress=False)
    bpe.train_from_iterator(list(scenes.STATEMENTS), trainer)
    merges = [tuple(pair) for pair in json.loads(bpe.to_str())["model"]["merges"]]
    words = alphabet + [a + "</w>" for a in alphabet] + ["".join(pair) for pair in merges]
    words = [*dict.fromkeys(words), "<|startoftext|>", "<|endoftext|>"]
    ids = {word: i for i, word in enumerate(words)}
    transformers.CLIPTokenizer(vocab=ids, merges=merges, model_max_length=24).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))


def _siglip_tokenizer(folder: Path) -> None:
    """Byte-level BPE with the end of text alone."""
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Strip(), normalizers.Lowercase()])
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        special_tokens=["<pad>", "<eos>", "<unk>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(list(scenes.STATEMENTS), trainer)
    bpe.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        model_max_length=16,
        model_input_names=["input_ids"],
    ).save_pretrained(folder)


def _bert_tokenizer(folder: Path) -> None:
    """Lower-case WordPiece."""
    words = sorted({word for statement in scenes.STATEMENTS for word in statement.split()})
    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{a}" for a in letters), *words]
    ids = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    transformers.BertTokenizer(vocab=ids, do_lower_case=True, model_max_length=24).save_pretrained(folder)
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in ids))


def make_model(name: str, tokenizer: transformers.PreTrainedTokenizerBase) -> torch.nn.Module:
    """A model so small that 65,536 coalitions take seconds on two cores: under 0.4M weights see."""
    width = dict(hidden_size=WIDTH[name], num_attention_heads=4)
    vision = dict(width, image_size=scenes.SIDE, patch_size=scenes.CELL)
    text = dict(width, vocab_size=len(tokenizer), max_position_embeddings=tokenizer.model_max_length)
    make = {"clip": _clip, "siglip": _siglip, "flava": _flava, "lxmert": _lxmert}[name]
    return make(tokenizer, vision, text)


def _clip(tokenizer: transformers.PreTrainedTokenizerBase, vision: dict, text: dict) -> torch.nn.Module:
    width = vision["hidden_size"]
    text |= dict(
        num_hidden_layers=2,
        intermediate_size=192,
        projection_dim=width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    vision |= dict(num_hidden_layers=4, intermediate_size=192, projection_dim=width)
    config = CLIPConfig(
        text_config=text,
        vision_config=vision,
        projection_dim=width,
        logit_scale_init_value=math.log(20.0),
    )
    return CLIPModel(config)


def _siglip(tokenizer: transformers.PreTrainedTokenizerBase, vision: dict, text: dict) -> torch.nn.Module:
    text |= dict(
        num_hidden_layers=2,
        intermediate_size=192,
        projection_size=vision["hidden_size"],
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


def _flava(tokenizer: transformers.PreTrainedTokenizerBase, vision: dict, text: dict) -> torch.nn.Module:
    # FLAVA's 0.02 is for a width of 768: it leaves a narrow tower's blocks with next to nothing to add.
    shared = dict(intermediate_size=192, initializer_range=0.06)
    # The contrastive score does not need the multimodal encoder, and the class does not do without.
    least = dict(hidden_size=8, num_attention_heads=1, intermediate_size=8, num_hidden_layers=1)
    config = FlavaConfig(
        text_config=text | shared | dict(num_hidden_layers=2, pad_token_id=tokenizer.pad_token_id),
        image_config=vision | shared | dict(num_hidden_layers=4, mask_token=False),
        multimodal_config=least,
        hidden_size=least["hidden_size"],
        projection_dim=vision["hidden_size"],
        initializer_range=0.06,
        init_codebook=False,
        logit_scale_init_value=math.log(20.0),
    )
    return FlavaModel(config)


def _lxmert(tokenizer: transformers.PreTrainedTokenizerBase, vision: dict, text: dict) -> torch.nn.Module:
    config = LxmertConfig(
        **text,
        intermediate_size=128,
        l_layers=2,
        r_layers=1,
        x_layers=2,
        visual_feat_dim=3 * vision["patch_size"] ** 2,
        visual_pos_dim=4,
        pad_token_id=tokenizer.pad_token_id,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.06,
        # Of the heads for training the matching one alone: the score.
        task_mask_lm=False,
        task_obj_predict=False,
        task_qa=False,
    )
    return LxmertForPreTraining(config)


def make_processor(name: str) -> transformers.BaseImageProcessor:
    """The image processor whose configuration goes with the checkpoint of a model that sees pixels."""
    side = scenes.SIDE
    square = {"height": side, "width": side}
    if name == "clip":
        return transformers.CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size=square)
    if name == "flava":
        return transformers.FlavaImageProcessorPil(size=square, crop_size=square)
    return transformers.SiglipImageProcessorPil(size=square)


def save_preparation(name: str, folder: Path) -> None:
    """Write how images become the model's input: an image processor's configuration, or LXMERT's grid.

    LXMERT sees regions. Instead of a detector's, these are the cells of a grid, row by row: the features of
    one are its pixels (y, x, channel) / 127.5 - 1, its box (x0, y0, x1, y1) in shares of the side.
    """
    if name == "lxmert":
        count = scenes.SIDE // scenes.CELL
        grid = {"side": scenes.SIDE, "rows": count, "cols": count}
        (folder / "grid_features.json").write_text(json.dumps(grid) + "\n")
    else:
        make_processor(name).save_pretrained(folder)

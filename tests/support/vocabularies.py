"""Tiny tokenizers of the kinds that published CLIP, SigLIP and FLAVA checkpoints hold, made on the spot."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CORPUS = [
    "a red circle on a grey ground",
    "there is no blue square in the picture",
    "two green triangles are left of the yellow star",
    "the dog chases the cat, the cat doesn't chase the dog",
    "exactly three people are sitting at a wooden table",
    "a woman hands a book to a child in front of the house",
    "are there any zebras? yes, there are 12 zebras",
    "The man's bicycle stands under the bridge!",
    "small birds above the quiet lake, large boats below",
    "a jug of purple wax, vexed foxes jump quickly",
]


def make_clip_tokenizer(folder: Path, *, length: int, own_pad: bool) -> PreTrainedTokenizerBase:
    """Byte-level BPE in CLIP's order of ids: bytes, bytes that end a word, merges, start, end.

    With `own_pad` a padding token follows the end of text; without, the end of text pads.
    """
    from tokenizers import Tokenizer, models, trainers
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    learner.pre_tokenizer = CLIPTokenizer().backend_tokenizer.pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=400, end_of_word_suffix="</w>", show_progress=False)
    learner.train_from_iterator([line.lower() for line in CORPUS], trainer)
    merges = [tuple(merge) for merge in json.loads(learner.to_str())["model"]["merges"]]

    alphabet = sorted(ByteLevel.alphabet())
    pieces = [*alphabet, *(letter + "</w>" for letter in alphabet), *("".join(pair) for pair in merges)]
    pieces = list(dict.fromkeys(pieces)) + ["<|startoftext|>", "<|endoftext|>"] + ["<|pad|>"] * own_pad
    tokenizer = CLIPTokenizer(
        vocab={piece: i for i, piece in enumerate(pieces)},
        merges=merges,
        pad_token="<|pad|>" if own_pad else "<|endoftext|>",
        model_max_length=length,
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def make_sentencepiece_tokenizer(folder: Path, *, length: int) -> PreTrainedTokenizerBase:
    """SigLIP's kind: a unigram sentencepiece model, padding with the end of sentence, ids 0, 1, 2 special."""
    import sentencepiece
    from transformers import SiglipTokenizer

    (folder / "corpus.txt").write_text("\n".join(CORPUS).lower())
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "corpus.txt"),
        model_prefix=str(folder / "spiece"),
        vocab_size=120,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    (folder / "corpus.txt").unlink()
    (folder / "spiece.vocab").unlink()
    tokenizer = SiglipTokenizer(str(folder / "spiece.model"), model_max_length=length)
    tokenizer.save_pretrained(folder)
    return tokenizer


def make_gemma_tokenizer(folder: Path, *, length: int) -> PreTrainedTokenizerBase:
    """SigLIP 2's kind: BPE with byte fallback in tokenizer.json, no start token, padding of its own."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import GemmaTokenizer

    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    learner = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    learner.normalizer = normalizers.Replace(" ", "▁")
    learner.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=[*special, *(f"<0x{i:02X}>" for i in range(256))], show_progress=False
    )
    learner.train_from_iterator([line.lower() for line in CORPUS], trainer)
    learner.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", special.index("<eos>"))]
    )
    tokenizer = GemmaTokenizer(
        tokenizer_object=learner,
        add_bos_token=False,
        add_eos_token=True,
        padding_side="right",
        model_max_length=length,
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def make_bert_tokenizer(folder: Path, *, length: int, fast: bool = False) -> PreTrainedTokenizerBase:
    """FLAVA's kind: lowercasing WordPiece, from vocab.txt or, with `fast`, from tokenizer.json.

    Every other word of the corpus is whole, the rest is spelt. Id 0, which pads in BERT, is an unused piece
    and id 1 pads: a tower that does not ask which id does would be found out.
    """
    from transformers import BertTokenizer

    words = sorted({word for line in CORPUS for word in re.findall(r"[a-z]+|[^a-z ]", line.lower())})
    letters = sorted(set("".join(words)))
    pieces = ["[unused0]", "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces += dict.fromkeys([*letters, *(f"##{letter}" for letter in letters), *words[::2]])
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces))
    settings = {"do_lower_case": True, "model_max_length": length, "tokenizer_class": "BertTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    tokenizer = BertTokenizer.from_pretrained(folder)
    if fast:
        tokenizer.save_pretrained(folder)
        (folder / "vocab.txt").unlink()
    return tokenizer

"""Train the embedded models, tiny ones of four architectures, on scenes of hlx.games.scenes, in PyTorch.

    python benchmarks/train_embedded.py --model clip        (or siglip, flava, lxmert)

Each writes an ordinary Hugging Face checkpoint to hlx/assets/ and its held-out accuracy per phenomenon to
bench_results/embedded_accuracy.json; `--evaluate` does only the latter, from the checkpoint that is there.

The losses of CLIP and FLAVA are CLIP's softmax over images and over texts (Radford et al., 2021, section 2.3;
Singh et al., 2022, section 3.2), SigLIP's is its sigmoid (Zhai et al., 2023, equation 1), LXMERT's whether
image and text match (Tan and Bansal, 2019, section 3.1.3). Two more terms make a few minutes of training
enough: each caption against foils of its own kind, as VALSE asks for it, and linear readers, thrown away
afterwards, that tell what is where. So that coalitions with hidden regions are nothing new to the models,
half of the images have some cells replaced by what hidden regions show.
"""

import argparse
import hashlib
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from _embedded_accuracy import evaluate, load, seeing, size
from _embedded_batches import (
    BATCH,
    Batch,
    Pool,
    Readers,
    choose_texts,
    clip_loss,
    siglip_loss,
    within_kinds,
)
from _embedded_forward import TOWERS, Fusion, Towers
from _embedded_models import WIDTH, make_model, make_processor, make_tokenizer, save_preparation
from _embedded_pairs import choose_pairs, matching_losses, noun_places
from _environment import ROOT, environment
from torch import Tensor

from hlx.games.scenes import HELD_OUT_SEED, KINDS, STATEMENTS

SEED = {"clip": 1, "siglip": 2, "flava": 3, "lxmert": 4}
# The learning rate reaches zero after STEPS; SigLIP was stopped before, its existence accuracy already at 1.
STEPS = {"clip": 4500, "siglip": 4000, "flava": 4000, "lxmert": 2400}
STOP = {"clip": 4500, "siglip": 3000, "flava": 4000, "lxmert": 2400}
# The reader of where objects are was meant to teach relations, and did not where images do not meet texts.
WHERE = {"clip": 2.0, "siglip": 0.0, "flava": 0.0, "lxmert": 2.0}
PER_KIND = 2_000
# What is reported is measured on scenes that nobody looked at during training.
WATCHED_SEED, REPORTED_SEED = HELD_OUT_SEED, HELD_OUT_SEED + 10_000

Losses = dict[str, Tensor]


def tower_losses(
    towers: Towers, batch: Batch, ids: Tensor, attention: Tensor, readers: Readers, rng: np.random.Generator
) -> Losses:
    """Every image of a batch with every one of some texts."""
    texts = choose_texts(batch.true, rng)
    true, false = torch.tensor(batch.true[:, texts]), torch.tensor(batch.false[:, texts])
    images, patches = towers.images(torch.tensor(batch.images), torch.tensor(batch.hidden))
    scores = towers.scores(images, towers.texts(ids[texts], attention[texts]))
    contrast = siglip_loss if hasattr(towers.model, "logit_bias") else clip_loss
    return {
        "within": within_kinds(scores, true, false),
        # Embeddings have norm 1: brought to the size of tokens, as the readers start small.
        "read": readers.loss(images * images.shape[1] ** 0.5, torch.tensor(batch.places), patches, batch),
        "contrast": contrast(scores, true, false),
    }


def fusion_losses(
    fusion: Fusion, batch: Batch, ids: Tensor, attention: Tensor, readers: Readers, rng: np.random.Generator
) -> Losses:
    """Each image of a batch with captions and foils of its own."""
    pairs = choose_pairs(batch, rng)
    rows = np.arange(BATCH)[:, None]
    asked = batch.true[rows, pairs[..., 0]] & batch.false[rows, pairs[..., 1]]
    statements, place = np.unique(pairs, return_inverse=True)
    attention = attention[statements]
    blocked = (1.0 - attention.float())[:, None, None] * torch.finfo(torch.float32).min
    words = fusion.texts(ids[statements], blocked)
    cells = fusion.images(torch.tensor(batch.images), torch.tensor(batch.hidden))
    place = torch.tensor(place.ravel())
    repeated = cells.repeat_interleave(len(place) // BATCH, 0)
    odds, met = fusion.scores(repeated, words[place], blocked[place])
    odds = odds.view(*pairs.shape)
    nouns, places = noun_places(pairs, batch.places, attention[place].sum(1).numpy())
    return {
        **matching_losses(odds[..., 0], odds[..., 1], torch.tensor(asked)),
        "read": readers.loss(met[nouns], torch.tensor(places), cells, batch),
    }


def train(name: str, steps: int, stop: int, capacity: int, folder: Path, peak: float) -> float:
    """Train one model from its seed and save it; returns the seconds of training."""
    torch.manual_seed(SEED[name])
    rng = np.random.default_rng(SEED[name])
    tokenizer = make_tokenizer(name, folder)
    model = make_model(name, tokenizer)
    learner = Fusion(model) if name == "lxmert" else TOWERS[name](model, make_processor(name))
    losses = fusion_losses if name == "lxmert" else tower_losses
    print(f"{name}: {size(model):,} weights, {seeing(name, model):,} of them see", flush=True)
    padding = "max_length" if name == "siglip" else True
    tokens = tokenizer(list(STATEMENTS), padding=padding, return_tensors="pt")
    ids = tokens["input_ids"]
    attention = tokens.get("attention_mask", torch.ones_like(ids))
    pool = Pool(capacity, SEED[name])
    pool.grow(5_000)
    readers = Readers(WIDTH[name], WHERE[name], 1 if name == "lxmert" else len(KINDS))
    learned = [*model.parameters(), *readers.parameters()]
    decayed, plain = [p for p in learned if p.ndim > 1], [p for p in learned if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: min((i + 1) / 300, 0.5 + 0.5 * math.cos(math.pi * i / steps))
    )
    began = time.perf_counter()
    for step in range(stop):
        pool.grow(6)
        parts = losses(learner, pool.batch(rng), ids, attention, readers, rng)
        optimizer.zero_grad()
        sum(parts.values()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if hasattr(model, "logit_scale"):
            with torch.no_grad():
                model.logit_scale.clamp_(max=math.log(100.0))
            parts["scale"] = model.logit_scale.exp()
        if step % 100 == 99:
            line = " ".join(f"{key} {value.item():.3f}" for key, value in parts.items())
            print(f"{step + 1} {time.perf_counter() - began:.0f} s {line}", flush=True)
        if step % 500 == 499 or step == stop - 1:
            model.save_pretrained(folder)
            (folder / "model.safetensors").chmod(0o644)
            save_preparation(name, folder)
            print(step + 1, evaluate(name, folder, 300, WATCHED_SEED), flush=True)
    return time.perf_counter() - began


def record(name: str, folder: Path, training: dict[str, object]) -> None:
    """Evaluate, print, and write the model's part of bench_results/embedded_accuracy.json."""
    found = evaluate(name, folder, PER_KIND, REPORTED_SEED)
    for phenomenon, share in found.items():
        print(f"{name}-scenes  {phenomenon:<10} {share:.3f}")
    path = ROOT / "bench_results" / "embedded_accuracy.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    before = results.get(f"{name}-scenes", {})
    model = load(name, folder)
    results[f"{name}-scenes"] = {
        "accuracy": found,
        "items_per_phenomenon": PER_KIND,
        "held_out_seed": REPORTED_SEED,
        "training": training or before.get("training"),
        "weights": size(model),
        "vision_weights": seeing(name, model),
        **({} if name == "lxmert" else {"logit_scale": round(model.logit_scale.exp().item(), 2)}),
        "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        "environment": environment(("torch", "transformers", "tokenizers", "numpy")),
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n")


def main() -> None:
    """Read the options, train unless told otherwise, evaluate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=tuple(SEED), required=True)
    parser.add_argument("--steps", type=int, help="steps until the learning rate is down to zero")
    parser.add_argument("--stop", type=int, help="stop after this many of the steps")
    parser.add_argument("--scenes", type=int, default=30_000, help="training scenes at most")
    parser.add_argument("--peak", type=float, default=1.5e-3, help="learning rate after the warm-up")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--out", type=Path, help="folder of the checkpoint (default: hlx/assets/MODEL-scenes)"
    )
    parser.add_argument("--evaluate", action="store_true", help="do not train")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    folder = options.out or ROOT / "hlx" / "assets" / f"{options.model}-scenes"
    folder.mkdir(parents=True, exist_ok=True)
    training: dict[str, object] = {}
    if not options.evaluate:
        steps = options.steps or STEPS[options.model]
        stop = min(options.stop or options.steps or STOP[options.model], steps)
        seconds = train(options.model, steps, stop, options.scenes, folder, options.peak)
        training = {
            "seed": SEED[options.model],
            "steps": steps,
            "stop": stop,
            "batch": BATCH,
            "scenes": options.scenes,
            "peak": options.peak,
            "seconds": round(seconds),
        }
    record(options.model, folder, training)


if __name__ == "__main__":
    main()

"""Train the embedded models: one tiny CLIP and one tiny SigLIP, on scenes of hlx.scenes, in PyTorch.

    python benchmarks/train_embedded.py --model clip
    python benchmarks/train_embedded.py --model siglip

Each writes an ordinary Hugging Face checkpoint to hlx/assets/ and its held-out accuracy per phenomenon to
bench_results/embedded_accuracy.json; `--evaluate` does only the latter, from the checkpoint that is there.

The losses are CLIP's softmax over images and over texts (Radford et al., 2021, section 2.3) and SigLIP's
sigmoid (Zhai et al., 2023, equation 1). Two more terms make a few minutes of training enough: each caption
against the foils of its own kind, as VALSE asks for it, and linear readers, thrown away afterwards, that
tell what is where. So that coalitions with hidden regions are nothing new to the models, half of the images
have some cells replaced by what hidden regions show.
"""

import argparse
import hashlib
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from _embedded_batches import BATCH, Pool, Readers, choose_texts, clip_loss, siglip_loss, within_kinds
from _embedded_models import WIDTH, Towers, make_model, make_processor, make_tokenizer
from _environment import ROOT, environment
from torch.nn.functional import normalize
from transformers import AutoModel, AutoTokenizer

from hlx.scenes import HELD_OUT_SEED, PHENOMENA, STATEMENTS, make_stimuli

SEED = {"clip": 1, "siglip": 2}
# The learning rate reaches zero after STEPS; SigLIP was stopped before, its existence accuracy already at 1.
STEPS = {"clip": 4500, "siglip": 4000}
STOP = {"clip": 4500, "siglip": 3000}
# The reader of where objects are was meant to teach relations, and did not: SigLIP does without it.
WHERE = {"clip": 2.0, "siglip": 0.0}
PER_KIND = 2_000
# What is reported is measured on scenes that nobody looked at during training.
WATCHED_SEED, REPORTED_SEED = HELD_OUT_SEED, HELD_OUT_SEED + 10_000


def train(name: str, steps: int, stop: int, capacity: int, folder: Path, peak: float) -> float:
    """Train one model from its seed and save it; returns the seconds of training."""
    torch.manual_seed(SEED[name])
    rng = np.random.default_rng(SEED[name])
    tokenizer, processor = make_tokenizer(name, folder), make_processor(name)
    towers = Towers(name, make_model(name, tokenizer), processor)
    model = towers.model
    print(f"{name}: {size(model):,} weights, {size(model.vision_model):,} of them see", flush=True)
    padding = "max_length" if name == "siglip" else True
    tokens = tokenizer(list(STATEMENTS), padding=padding, return_tensors="pt")
    ids = tokens["input_ids"]
    attention = tokens.get("attention_mask", torch.ones_like(ids))
    pool = Pool(capacity, SEED[name])
    pool.grow(5_000)
    readers = Readers(WIDTH, WHERE[name])
    learned = [*model.parameters(), *readers.parameters()]
    decayed, plain = [p for p in learned if p.ndim > 1], [p for p in learned if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: min((i + 1) / 300, 0.5 + 0.5 * math.cos(math.pi * i / steps))
    )
    contrast = clip_loss if name == "clip" else siglip_loss
    began = time.perf_counter()
    for step in range(stop):
        pool.grow(6)
        batch = pool.batch(rng)
        texts = choose_texts(batch.true, rng)
        true, false = torch.tensor(batch.true[:, texts]), torch.tensor(batch.false[:, texts])
        images, patches = towers.images(torch.tensor(batch.images), torch.tensor(batch.hidden))
        cosines = images @ towers.texts(ids[texts], attention[texts]).T
        scores = cosines * model.logit_scale.exp() + (model.logit_bias if name == "siglip" else 0)
        within = within_kinds(scores, true, false)
        read = readers.loss(images, patches, batch)
        loss = contrast(scores, true, false) + within + read
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=math.log(100.0))
        if step % 100 == 99:
            parts = {"loss": loss, "within": within, "read": read, "scale": model.logit_scale.exp()}
            line = " ".join(f"{key} {value.item():.3f}" for key, value in parts.items())
            print(f"{step + 1} {time.perf_counter() - began:.0f} s {line}", flush=True)
        if step % 500 == 499 or step == stop - 1:
            model.save_pretrained(folder)
            (folder / "model.safetensors").chmod(0o644)
            processor.save_pretrained(folder)
            print(step + 1, evaluate(name, folder, 300, WATCHED_SEED), flush=True)
    return time.perf_counter() - began


def size(module: torch.nn.Module) -> int:
    """Number of weights."""
    return sum(p.numel() for p in module.parameters())


def evaluate(name: str, folder: Path, n_per_kind: int, seed: int) -> dict[str, float]:
    """Share of held-out items of each phenomenon whose caption scores above its foil.

    The checkpoint is read like any other, with its own tokenizer and image processor.
    """
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    processor = type(make_processor(name)).from_pretrained(folder, local_files_only=True)
    tokens = tokenizer(list(STATEMENTS), padding="max_length", return_tensors="pt")
    index = {text: i for i, text in enumerate(STATEMENTS)}
    items = make_stimuli(n_per_kind * len(PHENOMENA), seed)
    correct: list[bool] = []
    with torch.no_grad():
        texts = normalize(model.get_text_features(**tokens).pooler_output, dim=-1)
        for start in range(0, len(items), 300):
            part = items[start : start + 300]
            pixels = processor([item.image for item in part], return_tensors="pt")["pixel_values"]
            images = normalize(model.get_image_features(pixel_values=pixels).pooler_output, dim=-1)
            captions = texts[[index[item.caption] for item in part]]
            foils = texts[[index[item.foil] for item in part]]
            correct += ((images * (captions - foils)).sum(1) > 0).tolist()
    # The phenomena come in turn.
    return {p: round(float(np.mean(correct[i :: len(PHENOMENA)])), 4) for i, p in enumerate(PHENOMENA)}


def record(name: str, folder: Path, training: dict[str, object]) -> None:
    """Evaluate, print, and write the model's part of bench_results/embedded_accuracy.json."""
    found = evaluate(name, folder, PER_KIND, REPORTED_SEED)
    for phenomenon, share in found.items():
        print(f"{name}-scenes  {phenomenon:<10} {share:.3f}")
    path = ROOT / "bench_results" / "embedded_accuracy.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    before = results.get(f"{name}-scenes", {})
    model = AutoModel.from_pretrained(folder, local_files_only=True)
    results[f"{name}-scenes"] = {
        "accuracy": found,
        "items_per_phenomenon": PER_KIND,
        "held_out_seed": REPORTED_SEED,
        "training": training or before.get("training"),
        "weights": size(model),
        "vision_weights": size(model.vision_model),
        "logit_scale": round(model.logit_scale.exp().item(), 2),
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

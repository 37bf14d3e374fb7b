"""What a user could pick instead of hlx, each behind the same two methods: PyTorch, ONNX Runtime, shap.

All but the reference pipeline are given normalised pixels that were composed beforehand, so that only the
model is timed; throughput.py times the composition by itself and reports both.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import os
import queue
import threading
from pathlib import Path

import numpy as np
import torch
from _workload import CAPTION, COLS, FOIL, ROWS, Contender, Workload

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Scorer(torch.nn.Module):
    """Normalised pixels (m, 3, side, side) to f (m,) = score(caption) - score(foil)."""

    def __init__(self, model: torch.nn.Module, texts: torch.Tensor) -> None:
        super().__init__()
        self.is_flava = model.config.model_type == "flava"
        self.vision = model.image_model if self.is_flava else model.vision_model
        name = "image_projection" if self.is_flava else "visual_projection"
        self.projection = getattr(model, name, torch.nn.Identity())
        # the bias of SigLIP's logits is the same for both texts
        self.register_buffer("direction", (texts[0] - texts[1]) * model.logit_scale.exp().detach())

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        seen = self.vision(pixel_values=pixels)
        # FLAVA projects its class token as it is, not the pooler's
        embedding = self.projection(seen.last_hidden_state[:, 0] if self.is_flava else seen.pooler_output)
        return torch.nn.functional.normalize(embedding, dim=-1) @ self.direction


@functools.cache
def reference_model(folder: Path, dtype: str) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    """transformers' model on the device and the two tokenised texts."""
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder, dtype=getattr(torch, dtype)).eval().to(DEVICE)
    siglip = model.config.model_type == "siglip"
    tokens = AutoTokenizer.from_pretrained(folder)(
        [CAPTION, FOIL],
        padding="max_length" if siglip else True,  # SigLIP reads its padding, CLIP needs none
        max_length=model.config.text_config.max_position_embeddings,
        truncation=True,
        return_tensors="pt",
    ).to(DEVICE)
    return model, {"input_ids": tokens["input_ids"]} if siglip else dict(tokens)


@functools.cache
def scorer(folder: Path, dtype: str) -> Scorer:
    """The image side of the reference model with the two texts encoded once."""
    model, tokens = reference_model(folder, dtype)
    with torch.inference_mode():
        if model.config.model_type == "flava":
            texts = model.text_projection(model.text_model(**tokens).last_hidden_state[:, 0])
        else:
            texts = model.get_text_features(**tokens).pooler_output
        texts = torch.nn.functional.normalize(texts, dim=-1)
    return Scorer(model, texts.clone()).eval()


class Eager(Contender):
    """transformers in PyTorch, batched."""

    def __init__(self, workload: Workload, dtype: str) -> None:
        self.name, self.dtype, self.workload = "torch eager", dtype, workload
        self.warm = False

    def prepare(self, batch: int) -> None:
        self.batch = batch
        self.run = scorer(self.workload.folder, self.dtype)
        pixels = torch.from_numpy(self.workload.pixels(self.workload.rows))
        repeats = -(-batch // len(pixels))
        pixels = pixels.to(DEVICE, getattr(torch, self.dtype)).repeat(repeats, 1, 1, 1)
        self.pixels = pixels[:batch].contiguous()
        if not self.warm:
            self.step()
            self.warm = True

    def step(self) -> int:
        with torch.inference_mode():
            self.run(self.pixels).float().cpu()  # the copy waits for the device
        return self.batch

    def values(self) -> np.ndarray:
        """f of the coalitions of one step, (batch,), to see that all contenders compute the same."""
        with torch.inference_mode():
            return self.run(self.pixels).float().cpu().numpy()


class Compiled(Eager):
    """The same through torch.compile, for one batch size; `frozen`: with the weights as packed constants."""

    def __init__(self, workload: Workload, dtype: str, frozen: bool = False) -> None:
        super().__init__(workload, dtype)
        self.frozen, self.warm = frozen, True
        self.name = "torch compile, frozen" if frozen else "torch compile"

    def prepare(self, batch: int) -> None:
        import torch._inductor.config as inductor

        super().prepare(batch)
        model = scorer(self.workload.folder, self.dtype)
        # a module of its own, or the code compiled for the other form would be used
        self.run = torch.compile(copy.deepcopy(model) if self.frozen else model, dynamic=False)
        with inductor.patch(freezing=True) if self.frozen else contextlib.nullcontext():
            self.step()


class Onnx(Contender):
    """The image tower exported by torch.onnx and run by ONNX Runtime on all cores."""

    def __init__(self, workload: Workload, dtype: str = "float32") -> None:
        self.name, self.dtype, self.workload = "ONNX Runtime", dtype, workload
        self.session = None

    def prepare(self, batch: int) -> None:
        self.batch = batch
        self.pixels = np.resize(self.workload.pixels(self.workload.rows), (batch, *self._shape()))
        if self.session is None:
            self.session = self._session()
            self.step()

    def _shape(self) -> tuple[int, int, int]:
        side = self.workload.tower.image_size
        return 3, side, side

    def _session(self) -> object:
        import onnxruntime

        path = self.workload.folder / "vision.onnx"
        example = torch.zeros(2, *self._shape())
        torch.onnx.export(
            scorer(self.workload.folder, self.dtype),
            (example,),
            path,
            input_names=["pixels"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},),
            dynamo=True,
            verbose=False,
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def step(self) -> int:
        self.values()
        return self.batch

    def values(self) -> np.ndarray:
        return self.session.run(None, {"pixels": self.pixels})[0]


class Composition(Contender):
    """Not a model: composing and normalising the pixels that the contenders above are given, in numpy."""

    name, dtype = "composition", "float32"

    def __init__(self, workload: Workload) -> None:
        self.workload = workload

    def prepare(self, batch: int) -> None:
        self.batch = batch
        self.rows = self.workload.batch(batch)
        self.step()

    def step(self) -> int:
        self.workload.pixels(self.rows)
        return self.batch


class ReferencePipeline(Contender):
    """The reference study's way: shap's partition explainer, the processor on every batch, PyTorch.

    The explainer runs in a thread of its own and is let on by one batch at each step; its batches grow from 1
    as it descends its tree (1, 1, 2, 8, 32, 128 coalitions of a full 4x4 tree, cut at `batch`), then it
    starts over. The image is (1, 4, 4) flags of shown cells, as in the study.
    """

    def __init__(self, workload: Workload, dtype: str = "float32") -> None:
        self.name, self.dtype, self.workload = "reference pipeline", dtype, workload
        self.go: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[int | BaseException] = queue.SimpleQueue()
        self.thread: threading.Thread | None = None

    def prepare(self, batch: int) -> None:
        self.batch = batch
        if self.thread is None:
            self.thread = threading.Thread(target=self._explain, daemon=True)
            self.thread.start()
        while self.step() < min(batch, 8):  # the small batches at the top of the tree are not held against it
            pass

    def step(self) -> int:
        self.go.put(None)
        done = self.done.get()
        if isinstance(done, BaseException):
            raise done
        return done

    def _explain(self) -> None:
        import shap

        try:
            flags = np.ones((1, 1, ROWS, COLS))
            masker = shap.maskers.Image(np.zeros((1, ROWS, COLS)), (1, ROWS, COLS))
            explainer = shap.PartitionExplainer(self._scores, masker)
            self.go.get()
            while True:
                explainer(flags, max_evals=300, batch_size=self.batch, silent=True)
        except BaseException as error:
            self.done.put(error)

    def _scores(self, flags: np.ndarray) -> np.ndarray:
        """f of shap's flags (m, 1, 4, 4): composites, image processor and tokenizer, whole model."""
        rows = np.asarray(flags).reshape(len(flags), -1) > 0
        model, tokens = reference_model(self.workload.folder, self.dtype)
        pixels = self._processor(list(self.workload.composites(rows)), return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            pixels = pixels.to(DEVICE, getattr(torch, self.dtype))
            logits = model(pixel_values=pixels, **tokens).logits_per_image.float().cpu().numpy()
        self.done.put(len(rows))
        self.go.get()
        return logits[:, 0] - logits[:, 1]

    @functools.cached_property
    def _processor(self) -> object:
        from transformers import CLIPImageProcessorPil, SiglipImageProcessorPil

        clip = self.workload.tower.kind == "clip"
        return (CLIPImageProcessorPil if clip else SiglipImageProcessorPil).from_pretrained(
            self.workload.folder
        )

"""From a model's name to a folder of checkpoint files: embedded, local, or from the Hugging Face hub."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from hlx.errors import ModelError

EMBEDDED = {
    "clip-scenes": "tiny CLIP trained on hlx's scenes (64 px, 4x4 patches); the default",
    "siglip-scenes": "tiny SigLIP trained on hlx's scenes (64 px, 4x4 patches)",
    "flava-scenes": "tiny FLAVA trained on hlx's scenes (64 px, 4x4 patches)",
    "lxmert-scenes": "tiny LXMERT trained on hlx's scenes (64 px, 4x4 grid features); takes the torch extra",
}
DEFAULT = "clip-scenes"

DETECTOR = "unc-nlp/frcnn-vg-finetuned"
"""Gives LXMERT its regions where its folder holds no source of its own."""

SECONDS_TO_ANSWER = 10
"""A hub that is silent for longer is out of reach."""

CONFIGS = (
    *("config.json", "config.yaml", "grid_features.json"),
    *("preprocessor_config.json", "processor_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "merges.txt", "vocab.txt", "spiece.model", "tokenizer.model"),
)
"""What a checkpoint's scores depend on beside its weights, in the order of the fingerprint."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_DESCRIPTIONS = ["*.json", "*.yaml", "*.txt", "*.model"]
_WEIGHTS = {
    "safetensors": ["model.safetensors", "model-*.safetensors"],
    "pickled": ["pytorch_model.bin", "pytorch_model-*.bin"],
}


@dataclass(frozen=True)
class Checkpoint:
    """A folder of checkpoint files and the name it was asked for by; `revision` is the hub's commit."""

    name: str
    folder: Path
    revision: str | None = None

    def fingerprint(self, *others: Checkpoint) -> str:
        """SHA-256 over configs, tokenizer and weights: what made a result, wherever the files came from.

        Parameters
        ----------
        others
            Checkpoints that take part too, as LXMERT's detector does.
        """
        from hlx.models.loading.checkpoint import weight_files

        digest = hashlib.sha256()
        for folder in (self.folder, *(other.folder for other in others)):
            described = [folder / name for name in CONFIGS if (folder / name).is_file()]
            for file in [*described, *weight_files(folder)[0]]:
                with open(file, "rb") as handle:
                    digest.update(hashlib.file_digest(handle, "sha256").digest())
        return digest.hexdigest()


def find(name: str, revision: str | None = None) -> Checkpoint:
    """The checkpoint folder of an embedded name, a local directory or a hub id (downloaded if not cached).

    Raises
    ------
    ModelError
        No such model, or the hub cannot be reached.
    """
    if name in EMBEDDED:
        return Checkpoint(name, Path(str(resources.files("hlx.assets") / name)))
    folder = _directory(name, "model", "config.json")
    if folder is not None:
        return Checkpoint(str(folder.resolve()), folder)
    if not _HUB_ID.fullmatch(name):
        raise ModelError(
            f"unknown model {name!r}: not embedded ({', '.join(EMBEDDED)}), no such directory, "
            "and not a hub id like openai/clip-vit-base-patch32"
        )
    downloaded = _download(f"model {name}", name, revision, "connect once or name a directory")
    return Checkpoint(name, downloaded, downloaded.name)


def find_detector(name: str) -> Checkpoint:
    """The folder of a detector by its local directory or hub id (downloaded if not cached).

    Raises
    ------
    ModelError
        No such detector, or the hub cannot be reached.
    """
    folder = _directory(name, "detector", "config.yaml")
    if folder is not None:
        return Checkpoint(str(folder.resolve()), folder)
    if not _HUB_ID.fullmatch(name):
        raise ModelError(f"detector {name!r}: no such directory, and not a hub id like {DETECTOR}")
    another = 'connect once, or give another with detector="DIR"'
    downloaded = _download(f"detector {name}", name, None, another)
    return Checkpoint(name, downloaded, downloaded.name)


def _directory(name: str, what: str, config: str) -> Path | None:
    """A directory of this name, if there is one; ModelError where it is a file."""
    folder = Path(os.path.expanduser(name))
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"{what} {name!r} is a file; expected the directory that holds its {config}")
    return folder if folder.is_dir() else None


def _download(what: str, name: str, revision: str | None, otherwise: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def fetch(patterns: list[str]) -> Path:
        kept = snapshot_download(
            name, revision=revision, allow_patterns=patterns, local_files_only=not answered
        )
        return Path(kept)

    try:
        # snapshot_download asks the same without a time limit: a hub that is silent would never be given up.
        answered = True
        try:
            HfApi().model_info(name, revision=revision, timeout=SECONDS_TO_ANSWER)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            raise
        except Exception:  # no network, a proxy's page, silence: whatever the HTTP library makes of them
            answered = False
        folder = fetch(_DESCRIPTIONS + _WEIGHTS["safetensors"])
        if not any(folder.glob("model*.safetensors")):
            folder = fetch(_DESCRIPTIONS + _WEIGHTS["pickled"])
    except LocalEntryNotFoundError as error:
        raise ModelError(f"{what}: the hub is out of reach and no copy is cached; {otherwise}") from error
    except GatedRepoError as error:
        raise ModelError(f"{what} is gated on the hub: accept its terms and log in first") from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ModelError(f"{what} (revision {revision or 'main'}) does not exist on the hub") from error
    except Exception as error:  # the hub client raises its HTTP library's errors as they come
        raise ModelError(f"{what} could not be downloaded: {type(error).__name__}: {error}") from error
    return folder

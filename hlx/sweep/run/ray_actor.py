"""A Ray actor: keeps a model on one device, prepares an image group and computes the one before it.

Nothing of Ray is needed here. Actors read no files of the sweep and write no results: images and label maps
come with the groups, results go back.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hlx.attribution.explain import VERSIONED
from hlx.errors import HlxError, InputError
from hlx.models.batches import out_of_memory
from hlx.models.loading.load import Loaded
from hlx.sweep.config.compilation_cache import keep_compiled, own_folder
from hlx.sweep.plan.jobs import RESULTS_VERSION, ImageGroup, PlannedModel
from hlx.sweep.results.failures import Failure, failure_of, reason_of
from hlx.sweep.results.job_results import JobResult
from hlx.sweep.run.computing import compute, is_broken
from hlx.sweep.run.preparing import Prepared, Preparer, devices_of, load_planned
from hlx.sweep.run.work_items import WorkItem

NUMERIC = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"),
    *("XLA_FLAGS", "LIBTPU_INIT_ARGS", "JAX_DEFAULT_MATMUL_PRECISION", "JAX_ENABLE_X64"),
    *("NVIDIA_TF32_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG", "MKL_CBWR", "ATEN_CPU_CAPABILITY"),
)
"""Environment variables that change threads, kernels or precision, and with them last bits."""


class BrokenWorkerError(HlxError):
    """What a worker cannot go on after: another one is to take its groups."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a work item.

    Attributes
    ----------
    seconds, waited
        As in `Done`.
    refused
        Why this worker has no such model; another one may.
    """

    results: list[JobResult] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0
    waited: float = 0.0
    refused: str | None = None


@dataclass(frozen=True)
class ActorInfo:
    """A worker that is ready.

    Attributes
    ----------
    versions
        Of what results depend on, as `versions_here`.
    warning
        What is not as asked for, and does no harm; empty if all is.
    """

    host: str
    pid: int
    versions: dict[str, str]
    warning: str = ""


class RayActor:
    """Computes work items on one device; up to two calls of `compute` are to run at once.

    Parameters
    ----------
    models
        The plan's.
    device
        "cpu", "cuda" or "tpu" for all models; None or "auto" for what the sweep says of each.
    environment
        `numeric_environment` of the process that the results are for.
    folder
        To work in, where there is such a folder here.
    cache
        Folder for compiled functions, "" for the user's own, None for none.
    """

    def __init__(
        self,
        models: Sequence[PlannedModel],
        device: str | None,
        environment: Mapping[str, str],
        folder: str,
        cache: str | None,
    ) -> None:
        # The terminal's Ctrl-C reaches every process, and who hands out the groups stops this one.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        for name in NUMERIC:
            if environment.get(name):
                os.environ[name] = environment[name]
            else:
                os.environ.pop(name, None)
        with suppress(OSError):
            os.chdir(folder)
        self._models, self._device = models, device
        self._warning = _keep_compiled(cache)
        self._preparing, self._computing = threading.Lock(), threading.Lock()
        self._preparer = Preparer()
        self._loaded: tuple[int, Loaded] | None = None
        self._free = self._loaded_at = 0.0
        # Of one name, by which the preparer knows the image that it has.
        self._files = Path(tempfile.gettempdir()) / f"hlx-worker-{uuid.uuid4().hex}"

    def ready(self) -> ActorInfo:
        """Who this is."""
        return ActorInfo(socket.gethostname(), os.getpid(), versions_here(self._models), self._warning)

    def compute(self, work_item: WorkItem) -> Outcome:
        """Prepare and compute an image group.

        Raises
        ------
        BrokenWorkerError
            The device fails, or the disk that images are unpacked to.
        """
        since = time.monotonic()
        model, group = self._models[work_item.model], work_item.group()
        try:
            with self._preparing:
                try:
                    loaded = self._load(work_item.model)
                except Exception as error:
                    return Outcome(refused=reason_of(error))
                since = max(since, self._loaded_at)
                prepared = self._prepare(loaded, model, group, work_item)
            with self._computing:
                start = time.monotonic()
                waited = max(0.0, start - max(since, self._free))
                try:
                    results, failures = compute(loaded, model, group, prepared)
                finally:
                    self._free = time.monotonic()
            return Outcome(results, failures, self._free - start, waited)
        except Exception as error:  # also what a function of the user's own may raise
            if is_broken(error) or isinstance(error, BrokenWorkerError):
                raise BrokenWorkerError(reason_of(error)) from None
            return Outcome(failures=[failure_of(group.jobs, reason_of(error))])

    def _load(self, number: int) -> Loaded:
        """The model, in place of the one before it."""
        if self._loaded is None or self._loaded[0] != number:
            model, self._loaded = self._models[number], None
            # An actor sees one device of its kind, whatever number that has on its host.
            kind = (self._device if self._device not in (None, "auto") else model.device or "").partition(
                ":"
            )[0]
            device = devices_of(model, kind or None)[0]
            try:
                loaded = load_planned(model, device)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                # The model before it may still be at work, and two too many.
                with self._computing:
                    loaded = load_planned(model, device)
            self._loaded, self._loaded_at = (number, loaded), time.monotonic()
        return self._loaded[1]

    def _prepare(
        self, loaded: Loaded, model: PlannedModel, group: ImageGroup, work_item: WorkItem
    ) -> Prepared:
        with self._unpacked(group, work_item) as unpacked:
            try:
                return self._preparer.prepare(loaded, model, unpacked)
            except InputError as error:
                # Nobody knows the files here: those of the sweep are meant.
                reason = str(error).replace(str(unpacked.image.path), str(group.image.path))
                if group.regions.labels is not None:
                    reason = reason.replace(str(unpacked.regions.labels), str(group.regions.labels))
                raise InputError(reason) from None

    @contextmanager
    def _unpacked(self, group: ImageGroup, work_item: WorkItem) -> Iterator[ImageGroup]:
        """The group with files of its own, for as long as it takes."""
        image, labels = self._files / "image" / group.image.path.name, group.regions.labels
        regions = group.regions
        try:
            _write(image, work_item.image_file)
            if labels is not None and work_item.labels_file is not None:
                regions = replace(regions, labels=self._files / "labels" / labels.name)
                _write(self._files / "labels" / labels.name, work_item.labels_file)
            yield replace(group, image=replace(group.image, path=image), regions=regions)
        finally:
            shutil.rmtree(self._files, ignore_errors=True)


def numeric_environment() -> dict[str, str]:
    """Variables of this process that decide which numbers come out.

    OMP_NUM_THREADS is among them in any case, if only as "": Ray sets it for workers unless it is set.
    """
    found = {name: os.environ[name] for name in NUMERIC if name in os.environ}
    return {"OMP_NUM_THREADS": "", **found}


def versions_here(models: Sequence[PlannedModel]) -> dict[str, str]:
    """Versions that results of these models depend on, by package; "" for those that are missing."""
    names = [*VERSIONED, *(["torch"] if any(model.engine == "torch" for model in models) else [])]
    found = {"hlx's results": str(RESULTS_VERSION)}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def _keep_compiled(cache: str | None) -> str:
    """Keep compiled functions; why that cannot be, if so: nothing but time depends on it."""
    try:
        if cache is not None:
            keep_compiled(Path(cache) if cache else own_folder())
    except HlxError as error:
        return str(error)
    return ""


def _write(path: Path, content: bytes) -> None:
    try:
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise BrokenWorkerError(f"{path}: cannot be written: {error.strerror or error}") from error

"""A Ray cluster: started here, or connected to."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from hlx.errors import InputError, ModelError
from hlx.io.messages import first_line

SECONDS_TO_ANSWER = 30.0
"""A cluster that is silent for longer is out of reach."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray writes of workers that died to stdout, which is for results: no line is let through.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_DEDUP_LOGS_ALLOW_REGEX": "(?!)",
}
"""What keeps Ray from reporting to its makers and from writing to the terminal; what is set already stays."""


def connect(address: str | None) -> bool:
    """Start Ray here (None, "local"), or connect to a cluster; whether this is for us to end.

    A connection that the process has already is used as it is.

    Raises
    ------
    InputError
        Ray is not installed; the address cannot be understood.
    ModelError
        The cluster cannot be reached in time, or not by this version of Python and Ray.
    """
    if find_spec("ray") is None:
        raise InputError(
            "ray: Ray is not installed: pip install 'hlx[ray]' (from a clone: pip install '.[ray]')"
        )
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        return False
    local = address in (None, "local")
    options: dict[str, Any] = {"include_dashboard": False} if local else {}
    if not local:
        assert address is not None
        _check_reach(address)
    try:
        with _handlers_kept(), _logged_errors_only():
            ray.init(
                address="local" if local else address, log_to_driver=False, configure_logging=False, **options
            )
    except SystemExit as error:
        raise ModelError(f"ray {address}: no Ray cluster can be reached") from error
    except Exception as error:
        where = "Ray cannot be started here" if local else f"ray {address}: cannot be connected to"
        raise ModelError(f"{where}: {first_line(error)}") from error
    return True


def _check_reach(address: str) -> None:
    """Ray itself tries for minutes, and then ends the program."""
    named = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
    if not named or named == "auto":
        return
    scheme, _, rest = named.rpartition("://")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if scheme not in ("", "ray") or not host or not port:
        raise InputError(f"ray {named!r}: expected local, auto, HOST:PORT or ray://HOST:PORT")
    try:
        socket.create_connection((host, port), timeout=SECONDS_TO_ANSWER / 3).close()
    except OSError as error:
        raise ModelError(f"ray {named}: no Ray cluster can be reached: {error.strerror or error}") from error
    if scheme == "ray":
        return
    asking = [sys.executable, "-m", "ray.scripts.scripts", "status", "--address", named]
    try:
        subprocess.run(asking, capture_output=True, timeout=SECONDS_TO_ANSWER, check=False)
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"ray {named}: what is there does not answer as a Ray cluster does; expected the address that "
            "`ray start --head` prints"
        ) from None


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself."""
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if main and handler is not None:
            signal.signal(signal.SIGTERM, handler)


@contextmanager
def _logged_errors_only() -> Iterator[None]:
    logger = logging.getLogger("ray")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # JAX warns of forks; Ray's processes become other programs at once.
            warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
            yield
    finally:
        logger.setLevel(level)

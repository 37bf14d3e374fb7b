"""The errors hlx raises on purpose. Each is one line that says what was found, where, and what to do."""


class HlxError(Exception):
    """Base of all of them; the command line prints it as one line and exits with status 2."""


class InputError(HlxError, ValueError):
    """An image, label map, stimulus file, option or table that cannot be used as it is."""


class VersionError(InputError):
    """A file of another version of its format, `version`: not damaged, but not to be read by this hlx."""

    def __init__(self, message: str, version: int) -> None:
        super().__init__(message)
        self.version = version


class ModelError(HlxError):
    """A checkpoint that is missing, corrupt, incomplete or of an architecture hlx has no port of."""


class OutputError(HlxError, OSError):
    """A result that cannot be written: the path exists, is not writable, or the disk is full."""


class NonFiniteScoreError(HlxError, ArithmeticError):
    """A model returned NaN or an infinite score; the message names the stimulus and the coalition."""

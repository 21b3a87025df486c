"""The errors that a user can act on. Everything else that is raised is a defect of this project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class PersonVLMError(Exception):
    """Base of every error that this project raises on purpose; its message is fit to be shown to a user."""


class InputError(PersonVLMError, ValueError):
    """Something given to us is not what it should be: a picture, a data file, a label. Names it, and the mend."""


class AssetError(PersonVLMError):
    """A file that is fetched on demand could not be had. Says where it may be put by hand."""


@contextmanager
def extra(what: str, name: str) -> Iterator[None]:
    """Around imports of what an optional extra installs.

    Args:
        what: is not possible without it, as in "`personvlm run`".
        name: of the extra, as in pyproject.toml.

    Raises:
        InputError: a package is missing. A missing module of this project is a defect, and raised as it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "personvlm":
            raise
        raise InputError(f"{what} needs {error.name}: pip install 'personvlm[{name}]'") from None

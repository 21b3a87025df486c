"""The errors that a user can act on. Everything else that is raised is a defect of this project."""

from __future__ import annotations


class PersonVLMError(Exception):
    """Base of every error that this project raises on purpose; its message is fit to be shown to a user."""


class InputError(PersonVLMError, ValueError):
    """Something given to us is not what it should be: a picture, a data file, a label. Names it, and the mend."""


class AssetError(PersonVLMError):
    """A file that is fetched on demand could not be had. Says where it may be put by hand."""

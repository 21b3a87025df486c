"""What was said about people, kept and found again: tables, migrations, search, retention, audit."""

from personvlm.store.blobs import BlobMissingError, Blobs
from personvlm.store.store import Store

__all__ = ["BlobMissingError", "Blobs", "Store"]

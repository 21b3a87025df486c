"""Everything that Apprise speaks (mail, chat, phones: about a hundred services), with the crop as attachment."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from personvlm.base.errors import InputError, extra
from personvlm.base.guarded import AddressError


def check_notification(url: str) -> None:
    """Refuse what Apprise does not understand.

    Raises:
        InputError: Apprise is not installed, or does not know the address. The address is not shown: it holds secrets.
    """
    _service(url)


def notify(url: str, title: str, body: str, picture: bytes | None) -> None:
    """Send one message; returns when the service has taken it.

    Raises:
        InputError: see :func:`check_notification`.
        AddressError: it was not taken.
    """
    service = _service(url)
    with tempfile.TemporaryDirectory() as folder:
        attach = None
        if picture is not None:
            attach = Path(folder) / "crop.jpg"
            attach.write_bytes(picture)
        taken = service.notify(title=title, body=body, attach=None if attach is None else str(attach))
    if not taken:
        raise AddressError(f"{url.split('://')[0]}: the service did not take the message")


def _service(url: str) -> Any:
    with extra("a notification", "notify"):
        import apprise
    service = apprise.Apprise()
    if not service.add(url):
        raise InputError(f"{url.split('://')[0][:20]}: Apprise does not understand this address; "
                         "see github.com/caronc/apprise/wiki")  # fmt: skip
    return service

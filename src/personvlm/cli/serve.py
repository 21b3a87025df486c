"""``personvlm serve`` and ``personvlm token``: the HTTP server, and who may use it."""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from personvlm.base import logs
from personvlm.base.errors import InputError, extra
from personvlm.base.memory import return_memory
from personvlm.cli.describe import LogFormat, Model, Quiet
from personvlm.cli.output import print_json, print_table, printable
from personvlm.cli.who import Ways, known_again

if TYPE_CHECKING:
    from personvlm.server.tokens import Token, Tokens


token = typer.Typer(no_args_is_help=True, help="Tokens for `personvlm serve`: make, list, revoke.")

TokenFileOption = Annotated[
    Path | None, typer.Option("--token-file", "--file", help="File with tokens, readable by its owner only.")
]
StoreOption = Annotated[str | None, typer.Option("--store", metavar="URL", help="Database with people.")]


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; others than loopback need tokens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8765,
    store: StoreOption = None,
    queue: Annotated[str | None, typer.Option(metavar="URL", help="Queue of events.")] = None,
    blobs: Annotated[str | None, typer.Option(metavar="DIR|URL", help="Where crops lie.")] = None,
    cache: Annotated[
        str | None, typer.Option(metavar="redis://", help="Read each camera's latest descriptions there.")
    ] = None,
    token_file: TokenFileOption = None,
    no_gender: Annotated[bool, typer.Option("--no-gender", help="Nobody gets gender from this server.")] = False,
    no_age: Annotated[bool, typer.Option("--no-age", help="Nobody gets age from this server.")] = False,
    blur: Annotated[list[str] | None, typer.Option(
        metavar="CAMERA", help="Blur its crops where heads usually are; * is all.")] = None,
    hide: Annotated[list[str] | None, typer.Option(metavar="CAMERA", help="Never show its crops; * is all.")] = None,
    fetch_urls: Annotated[bool, typer.Option("--fetch-urls", help="Take pictures from public addresses.")] = False,
    fetch_from: Annotated[
        list[str] | None, typer.Option(metavar="HOST[:PORT]", help="Take pictures from this host, public or not.")
    ] = None,
    alias: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A further name of the model at compatible endpoints.")
    ] = None,
    cameras: Ways = None,
    rate: Annotated[float, typer.Option(min=0, help="Requests a second of one token; 0 is any.")] = 200.0,
    no_deliver: Annotated[
        bool, typer.Option("--no-deliver", help="Leave sending of alerts to `personvlm alerts deliver`.")
    ] = False,
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM file; with --tls-key for https.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file.")] = None,
    log_format: LogFormat = None,
    model: Model = None,
    quiet: Quiet = False,
) -> None:
    """Serve REST, OpenAI- and Ollama-compatible endpoints. Ctrl-C ends it after what was begun is answered."""
    with extra("`personvlm serve`", "service"):
        import uvicorn

        from personvlm.server.app import create_app
        from personvlm.server.describing import PeopleDescriber
        from personvlm.server.running import OrderlyServer
        from personvlm.server.settings import ServerSettings
    settings = ServerSettings(
        host=host, port=port, store=store, queue=queue, blobs=blobs, cache=cache, token_file=token_file, model=model,
        gender=not no_gender, age=not no_age, blur=tuple(blur or ()), hide=tuple(hide or ()), fetch_urls=fetch_urls,
        fetch_from=tuple(fetch_from or ()), aliases=tuple(alias or ()), rate=rate or None,
        identity=known_again(cameras), deliver_s=None if no_deliver else 3.0,
    )  # fmt: skip
    if (tls_certificate is None) != (tls_key is None):
        raise typer.BadParameter("--tls-certificate and --tls-key go together")
    return_memory()
    form = logs.start(log_format, quiet=quiet)
    app = create_app(settings, PeopleDescriber.models(settings))
    config = uvicorn.Config(
        app, host=host, port=port, access_log=False, log_config=None, server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=int(settings.answer_s) + 5, ssl_certfile=tls_certificate, ssl_keyfile=tls_key,
        backlog=512,
    )  # fmt: skip
    gc.collect()
    gc.freeze()  # what was imported stays: to look through it again and again for garbage costs answers
    server = OrderlyServer(config, None if quiet else lambda url: _announce(url, bool(store), form))
    try:
        server.run()
    except KeyboardInterrupt:  # uvicorn ends in order first, and then passes it on
        return
    except SystemExit:  # how it says that it could not begin; its log has said why
        raise InputError(f"{host}:{port}: the server could not start; is the port taken?") from None


def _announce(url: str, page: bool, form: logs.Format) -> None:
    if form == "json":
        logging.getLogger(__name__).info("serving on %s", url, extra={"url": url, "page": page})
    else:
        print(f"personvlm: serving on {url}{'/ (the page, too)' if page else ''}", file=sys.stderr, flush=True)


@token.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who or what will use it.")],
    scope: Annotated[list[str], typer.Option(help="ingest, read, search, admin or erase; may be repeated.")],
    token_file: TokenFileOption = None,
    store: StoreOption = None,
    days: Annotated[float | None, typer.Option(min=0.001, help="It ends after so many days.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Quiet = False,
) -> None:
    """Make a token and print it: it is shown this once."""
    import time

    from personvlm.server.tokens import create as make

    with _kept(token_file, store) as kept:
        secret, made = make(name, scope, expires=None if days is None else time.time() + 86_400 * days)
        kept.save(made)
    if as_json:
        print_json({"token": secret, **_shown(made)})
        return
    print(secret)
    if not quiet:
        print(f"personvlm: token {made.id} for {printable(name)}: {', '.join(made.scopes)}. It is not shown again.",
              file=sys.stderr)  # fmt: skip


@token.command("list")
def listed(
    token_file: TokenFileOption = None,
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """List the tokens; what they are themselves is not known any more."""
    with _kept(token_file, store) as kept:
        rows = [_shown(each) for each in kept.all()]
    if as_json:
        print_json(rows, indent=1)
        return
    print_table("Tokens", {row["id"]: (printable(row["name"]), " ".join(row["scopes"]), row["state"]) for row in rows},
                ("id", "name", "scopes", "state"))  # fmt: skip


@token.command("revoke")
def revoke(
    id: Annotated[str, typer.Argument(help="As `personvlm token list` shows it.")],
    token_file: TokenFileOption = None,
    store: StoreOption = None,
    quiet: Quiet = False,
) -> None:
    """End a token. A server that runs notices within a second."""
    from personvlm.server.tokens import revoke as end

    with _kept(token_file, store) as kept:
        over = end(kept, id)
    if not quiet:
        print(f"personvlm: token {over.id} ({printable(over.name)}) is revoked", file=sys.stderr)


@contextlib.contextmanager
def _kept(token_file: Path | None, store: str | None) -> Iterator[Tokens]:
    """The place that was named."""
    if (token_file is None) == (store is None):
        raise typer.BadParameter("say where tokens are kept: --file FILE or --store URL")
    with extra("`personvlm token`", "service"):
        from personvlm.server.tokens import StoredTokens, TokenFile
        from personvlm.store import Store
    if token_file is not None:
        yield TokenFile(token_file)
    else:
        assert store is not None
        with Store.open(store) as opened:
            yield StoredTokens(opened)


def _shown(each: Token) -> dict[str, Any]:
    import time

    state = "revoked" if each.revoked is not None else "expired" if each.over(time.time()) else "good"
    return {"id": each.id, "name": each.name, "scopes": list(each.scopes), "state": state,
            "created": _time(each.created),
            "expires": None if each.expires is None else _time(each.expires)}  # fmt: skip


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")

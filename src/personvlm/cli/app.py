"""The commands of ``personvlm``, put together; and what becomes of an error.

Exit status: 0 when all went well, 1 when something given could not be handled (one line on stderr says what), 2 when
the command was not understood.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from personvlm import __version__
from personvlm.base import logs, tracing
from personvlm.base.errors import PersonVLMError
from personvlm.cli import (
    adapt,
    alerts,
    backfill,
    bench,
    calibrate,
    compress,
    data,
    demo,
    describe,
    distill,
    evaluate,
    forgetting,
    frigate,
    models,
    queue,
    run,
    search,
    serve,
    simulate,
    store,
    study,
    train,
    who,
    worker,
)  # fmt: skip

app = typer.Typer(
    name="personvlm", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


_TRACED = ("alerts", "backfill", "frigate", "run", "serve", "worker")
"""Commands that have to do with events."""


def _version(wanted: bool) -> None:
    if wanted:
        print(f"personvlm {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Describe people in pictures: a sentence, attributes with calibrated confidence, JSON. No GPU, no server."""
    if context.invoked_subcommand in _TRACED:
        tracing.start(f"personvlm-{context.invoked_subcommand}")


app.command("describe")(describe.describe)
app.command("bench")(bench.bench)
app.command("demo")(demo.demo)
app.command("run")(run.run)
app.command("serve")(serve.serve)
app.command("frigate")(frigate.frigate)
app.command("search")(search.search)
app.command("who")(who.who)
app.command("tracks")(store.tracks)
app.command("show")(store.show)
app.command("erase")(forgetting.erase)
app.command("worker")(worker.worker)
app.command("queue")(queue.queue)
app.command("backfill")(backfill.backfill)
app.command("evaluate")(evaluate.evaluate)
app.command("schema")(models.schema)
app.command("models")(models.models)
app.command("train")(train.train)
app.command("calibrate")(calibrate.calibrate)
app.command("adapt")(adapt.adapt)
app.command("export")(train.export)
app.command("convert")(train.convert)
app.command("compress")(compress.compress)
app.command("distill")(distill.distill)
app.command("study")(study.study)
app.command("simulate")(simulate.simulate)
app.add_typer(data.app, name="data")
app.add_typer(alerts.app, name="alerts")
store.app.command("sweep")(forgetting.sweep)
app.add_typer(store.app, name="store")
app.add_typer(serve.token, name="token")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit (``SystemExit``). ``arguments`` default to those of the process."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # File names need not be text. A byte that is none leaves as `\udcXX`, which is also legal inside JSON.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        try:
            app(args=None if arguments is None else list(arguments))
        finally:
            print(end="", flush=True)  # whatever is still held back fails here, where it can be caught
    except PersonVLMError as error:
        _fail(str(error))
    except OSError as error:
        if error.filename is None:  # stdout: what it refused must not be tried again when the process ends
            sys.stdout = io.StringIO()
        if isinstance(error, BrokenPipeError):  # whoever read has seen enough
            sys.exit(1)
        _fail(f"{error.filename or 'input or output'}: {error.strerror or error}")
    finally:
        logs.stop()


def _open_streams() -> None:
    """A stream that whoever started the process had closed (``2>&-``) leads nowhere. Without this it would be None, and
    its number would go to the next file that is opened, a store perhaps, for libraries to write their warnings into."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - as long as the process


def _fail(reason: str) -> NoReturn:
    logs.failed(reason)
    sys.exit(1)

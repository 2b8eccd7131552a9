"""What commands have in common: how they print, and how they end with one sentence whatever goes wrong."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

import click

from . import memory
from .signals import Stopped, stoppable

Rows = Sequence[tuple[str, ...]]

BAD_USE, INTERRUPTED = 2, 130  # exit codes
OUT_OF_MEMORY = "Error: memory ran out; a smaller network, fewer points or fewer of them a step (--batch) take less"
MOST_TOLD = 500  # characters of a line where errors go


class Program(click.Group):
    """A group of commands that ends with one sentence, and no traceback, for whatever a user can get wrong."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command and exit with its code."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter is no reason to fail
        try:
            with stoppable(), _warnings_in_one_line():
                code = super().main(*args, **(extra | {"standalone_mode": False})) or 0
        except click.exceptions.NoArgsIsHelpError as error:
            code = BAD_USE
            click.echo(error.format_message(), err=True)
        except click.Abort:
            code = INTERRUPTED
            tell("interrupted; nothing was written")
        except Stopped as stopped:
            code = stopped.code
            tell(f"{stopped}; nothing was written")
        except click.ClickException as error:
            code = BAD_USE
            tell(f"Error: {error.format_message()}")
        except (MemoryError, ImportError, RuntimeError, SystemError) as error:
            if not isinstance(error, MemoryError) and memory.is_left():  # a library that cannot be loaded, a thread
                raise
            code = BAD_USE
            tell(OUT_OF_MEMORY)
        except OSError as error:
            code = BAD_USE
            name = _within(plain(str(error.filename)), MOST_TOLD // 2)  # the reason comes after it
            said = f"Error: {name}: {error.strerror}" if error.filename else f"Error: {error}"
            tell(said if memory.is_left() else OUT_OF_MEMORY)
        except ValueError as error:
            code = BAD_USE
            tell(f"Error: {error}")
        _flush()
        sys.exit(code)


def tell(message: str) -> None:
    """Print one line where errors go, of a length that can be read; where nobody can read it any more, none."""
    with suppress(OSError):
        click.echo(_within(plain(message), MOST_TOLD), err=True)


def _flush() -> None:
    """Print what waits to be printed, lest Python complains of a closed terminal when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Within this block a warning is told as an error is, without the line of code that gave it."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: tell(f"Warning: {message}")
        yield


def plain(text: str) -> str:
    r"""Return `text` on one line, without a character that a terminal obeys: names in files may hold any."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _within(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def say(text: str) -> None:
    """Print `text` with a new line. Where nobody reads on, as behind `| head`, the command goes on in silence."""
    with _unread():
        click.echo(text)


@contextmanager
def _unread() -> Iterator[None]:
    """Let nothing be printed from now on where nobody reads: a pipe has no reader, or the terminal is gone."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EIO):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Stdout:
    """The standard output as a file that goes on in silence where nobody reads."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stdout, name)

    def write(self, text: str) -> int:
        with _unread():
            sys.stdout.write(text)
        return len(text)

    def flush(self) -> None:
        with _unread():
            sys.stdout.flush()


def progress_bar(what: str, total: int) -> Any:
    """Return a live bar that counts to `total`, where a terminal is; else None."""
    if not sys.stdout.isatty():
        return None
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(bar_width=12), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
    console = Console(file=cast(TextIO, _Stdout()))
    bar = Progress(TextColumn(what), *columns, TextColumn("{task.description}"), console=console)
    bar.start()
    bar.add_task("", total=total)
    return bar


def table(header: Sequence[str], rows: Rows) -> None:
    """Print a table; the first column names what stands in the others."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(show_header=bool(header))
    for index, name in enumerate(header or rows[0]):
        numbers = index > 0 and all(row[index][:1] in "-0123456789" for row in rows)
        drawn.add_column(Text(plain(name)), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(plain(cell)) for cell in row))
    console = Console()
    with console.capture() as capture:
        console.print(drawn)
    say(capture.get().rstrip("\n"))

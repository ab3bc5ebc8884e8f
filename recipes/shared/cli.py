"""Commands and flags of a recipe, from one frozen dataclass a command."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tyro

from gru_zoo.arguments import TooFew
from gru_zoo.imports import import_without_optional
from gru_zoo.training.heap import keep_freed_memory

# Exit status of a training whose loss is no longer finite.
DIVERGED = 3
RESUME = "--resume continues from the last checkpoint, if there is one, or from the start."


def run(
    program: str,
    commands: Mapping[str, tuple[type, Callable[[Any], None]]],
    arguments: Sequence[str] | None = None,
    interrupted: str = RESUME,
) -> int:
    """Make this process one that trains, and run the command that the arguments name.

    Arguments and result are those of `command`.
    """
    keep_freed_memory()
    import_without_optional()
    return command(program, commands, arguments, interrupted)


def command(
    program: str,
    commands: Mapping[str, tuple[type, Callable[[Any], None]]],
    arguments: Sequence[str] | None = None,
    interrupted: str = "nothing was kept.",
) -> int:
    """Run the command that the arguments name; the first command is the default.

    Args:
        program: what the user typed, such as "python -m recipes.sentiment".
        commands: name -> (dataclass of its flags, function that takes an instance).
        arguments: words after the program; `sys.argv[1:]` if None.
        interrupted: what to say about resuming after Ctrl-C.

    Returns:
        exit status: 0, 2 after a mistake in the input or where a package is missing, `DIVERGED`
        where a training's loss is no longer finite, 130 after Ctrl-C, 141 if nobody reads the
        output any more.
    """
    # TensorFlow reports a missing GPU as an error; a recipe's output is for results.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _prepare_streams()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    default = next(iter(commands))
    name = arguments.pop(0) if arguments and arguments[0] in commands else default
    if arguments and not arguments[0].startswith("-") and name == default:
        print(
            f"error: command must be one of {', '.join(commands)}; got {arguments[0]!r}.",
            file=sys.stderr,
        )
        return 2
    flags, function = commands[name]
    others = ", ".join(command for command in commands if command != name)
    more = f"\n\nOther commands: {others} (each has its own --help)." if others else ""
    config = tyro.cli(
        flags,
        args=arguments,
        prog=f"{program} {name}",
        description=f"{flags.__doc__}{more}",
    )
    try:
        function(config)
        sys.stdout.flush()
    except BrokenPipeError:
        # As of `| head`; Python flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}{_hint(error, config)}", file=sys.stderr)
        return 2
    except FloatingPointError as error:
        print(f"error: {error}", file=sys.stderr)
        return DIVERGED
    except KeyboardInterrupt:
        if "--resume" in interrupted and not hasattr(config, "resume"):
            interrupted = "files already written are complete."
        print(f"\ninterrupted; {interrupted}", file=sys.stderr)
        return 130
    return 0


def _prepare_streams() -> None:
    """Write lines as they come, for a log is read while a training runs; to files in UTF-8.

    Files are read as UTF-8 too. Windows' code page lacks most of what a text may hold; an encoding
    that the user chose is left as it is.
    """
    chosen = os.environ.get("PYTHONIOENCODING")
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        stream.reconfigure(line_buffering=True)
        if not stream.isatty() and not chosen:
            errors = "backslashreplace" if stream is sys.stderr else stream.errors
            stream.reconfigure(encoding="utf-8", errors=errors)


def _hint(error: Exception, config: Any) -> str:
    """Return what may be behind an error that speaks of too few rows."""
    limit = getattr(config, "limit", 0) if isinstance(error, TooFew) else 0
    return f" --limit {limit} reads only this much of the data." if limit > 0 else ""

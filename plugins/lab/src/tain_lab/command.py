"""The `tain` command. Everything heavy is imported inside the subcommands, so that help answers at once."""

import sys
from collections.abc import Sequence

import cyclopts

from tain.errors import TainError
from tain_lab import experiment_commands, plugin_commands  # noqa: F401 (they register the subcommands)
from tain_lab.application import app

__all__ = ["app", "main"]

FAILURE = 2
"""Exit code of every mistake; 1 means that `tain check` found rows that break the rule."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; every mistake of the user is one line on the error stream and exit code 2."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    traceback = "--traceback" in tokens
    tokens = [token for token in tokens if token != "--traceback"]
    try:
        tokens = _with_plugins(tokens)
        result = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except (TainError, cyclopts.CycloptsError) as error:
        if traceback:
            raise
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"tain: {message}", file=sys.stderr)
        return FAILURE
    except KeyboardInterrupt:
        print("tain: stopped. With the same command, a run or a bench goes on where it was.", file=sys.stderr)
        return 130
    return result if isinstance(result, int) else 0


def _with_plugins(tokens: list[str]) -> list[str]:
    """Load each `--plugin FILE`, and return what is left of the command line."""
    left, files = [], []
    rest = iter(tokens)
    for token in rest:
        if token == "--plugin":
            files.append(next(rest, ""))
        elif token.startswith("--plugin="):
            files.append(token.removeprefix("--plugin="))
        else:
            left.append(token)
    if files:
        from tain.one_off import load_plugin

        for file in files:
            load_plugin(file)
    return left


if __name__ == "__main__":
    sys.exit(main())

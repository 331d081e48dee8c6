"""``hyp query``: ask the local cache (contract §8)."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from hypactors.cli._suggestion import no_such
from hypactors.errors import HypError, QueryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USAGE = """\
usage: hyp query <question> [options]

questions:
  sql        one SELECT over ai_gateway_messages
  schema     its columns, their types, and what each means
  datasets   what there is: rows, files, bytes, from when until when
  overview   tokens, sessions, tools and repositories at a glance

  hyp query <question> --help     what a question takes

examples:
  hyp query overview --since 30d
  hyp query sql "select model, count(*) from ai_gateway_messages group by all"
"""

QUESTIONS = {
    "sql": "_query_sql",
    "schema": "_query_schema",
    "datasets": "_query_datasets",
    "overview": "_query_overview",
}


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Answer one question. Exit 1 when it cannot be, 2 for wrong arguments."""
    question, rest = (argv[0], argv[1:]) if argv else ("", ())
    if question in {"--help", "-h", "help"}:
        sys.stdout.write(USAGE)
        return 0
    if question not in QUESTIONS:
        told = f"ask one of {', '.join(QUESTIONS)}; see 'hyp query --help'"
        if question:
            what = "option" if question.startswith("-") else "question"
            told = no_such(what, question, (*QUESTIONS, "--help"), of="hyp query")
        sys.stderr.write(f"hyp query: {told}\n")
        return 2
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        # What a terminal's encoding cannot show must not end the output.
        reconfigure(errors="replace")
    # Only now: a wrong word should be told at once, and these take a while to load.
    module = importlib.import_module(f"hypactors.cli.{QUESTIONS[question]}")
    try:
        code: int = module.main(rest, environ)
    except UsageError as error:
        sys.stderr.write(f"hyp query: {error}\n")
        return 2
    except HypError as error:
        sys.stderr.write(f"hyp query: {error}\n")
        if isinstance(error, QueryError):
            from hypactors.cli._cells import pointed_at

            sys.stderr.writelines(f"{line}\n" for line in pointed_at(error.line, error.column))
        return 1
    return code

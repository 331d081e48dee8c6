"""``python -m hypactors`` is the ``hyp`` command."""

from hypactors.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())

"""A service's process: ``python -m ticketly_<service>`` serves, ``… migrate`` prepares its store and exits."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Final

from ticketly_common import serving, telemetry, tracing
from ticketly_common.serving import Service
from ticketly_common.settings import S, SettingsError, load

EXIT_WRONG: Final = 3
"""As the operator and the command line end when they were called or set up wrongly."""


def main(
    name: str,
    settings_kind: type[S],
    create_app: Callable[[S], Service],
    *,
    migrate: Callable[[S], int] | None = None,
    arguments: Sequence[str] | None = None,
) -> int:
    """Return the exit code: 0 after a stop that was asked for, 3 for wrong arguments or settings.

    ``migrate`` returns the exit code of its run; a service without a store has none. ``arguments`` are those of the
    command line unless given.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and (migrate is None or given != ["migrate"]):
        optional = "" if migrate is None else " [migrate]"
        sys.stderr.write(f"usage: python -m ticketly_{name.replace('-', '_')}{optional}\n")
        return EXIT_WRONG
    try:
        settings = load(settings_kind)
        telemetry.configure_logging(settings.log, service=name)
        if given and migrate is not None:
            return migrate(settings)
        with tracing.exporting(settings.tracing, service=name):
            serving.run(create_app(settings), settings.listen)
    except SettingsError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return EXIT_WRONG
    return 0

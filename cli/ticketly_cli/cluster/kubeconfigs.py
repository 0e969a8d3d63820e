"""Which cluster a person means: kubeconfig, context, namespace; every way in which that can be wrong is a sentence."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lightkube.config.kubeconfig import DEFAULT_KUBECONFIG, PROXY_CONF, KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError

from ticketly_cli.errors import CliError, ExitCode

_IN_CLUSTER: Final = "the pod's own service account"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which cluster and namespace a person named; empty where nothing was said."""

    context: str = ""
    kubeconfig: Path | None = None
    namespace: str = ""

    @property
    def given(self) -> bool:
        """A cluster was named, so that a command which also knows the laptop means the cluster."""
        return bool(self.context or self.kubeconfig)


def selected(choice: Choice) -> tuple[SingleConfig, str]:
    """The access to a cluster and the name of its context. Raises CliError (exit code 4)."""
    try:
        found, path = _kubeconfig(choice)
    except ConfigError:
        named = f" {choice.kubeconfig}" if choice.kubeconfig else ""
        raise CliError(
            f"There is no kubeconfig{named}, so no cluster can be reached.",
            "Name one with --kubeconfig FILE or KUBECONFIG.",
            ExitCode.UNREACHABLE,
        ) from None
    except Exception as error:  # noqa: BLE001 - whatever a damaged file makes the parser raise is one and the same
        raise CliError(
            f"The kubeconfig cannot be read ({type(error).__name__}).",
            "Check it with `kubectl config view`.",
            ExitCode.UNREACHABLE,
        ) from None
    name = choice.context or found.current_context or ""
    known = ", ".join(sorted(found.contexts)) or "none"
    if not name:
        message = f"{path} names no current context."
        raise CliError(message, f"Choose one with --context: {known}.", ExitCode.UNREACHABLE)
    if name not in found.contexts:
        message = f"There is no context {name} in {path}."
        raise CliError(message, f"There are: {known}.", ExitCode.UNREACHABLE)
    try:
        config = found.get(name, default=PROXY_CONF)
    except (ConfigError, KeyError):
        message = f"Context {name} in {path} names a cluster or a user that is not there."
        raise CliError(message, "Check it with `kubectl config view`.", ExitCode.UNREACHABLE) from None
    assert config is not None  # noqa: S101 - only a missing name without a default gives None
    return config, _IN_CLUSTER if path == _IN_CLUSTER else name


def _kubeconfig(choice: Choice) -> tuple[KubeConfig, str]:
    """The named file, else KUBECONFIG (its first existing file), else the usual place, else the pod's own access."""
    if choice.kubeconfig is not None:
        return KubeConfig.from_file(choice.kubeconfig), str(choice.kubeconfig)
    named = [Path(part).expanduser() for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    usual = Path(DEFAULT_KUBECONFIG).expanduser()
    candidates = [path for path in (named or [usual]) if path.is_file()]
    if not candidates:
        if named:
            raise ConfigError("no file of KUBECONFIG exists")
        return KubeConfig.from_service_account(), _IN_CLUSTER
    # with several files the one that knows the wanted context counts
    loaded = [(KubeConfig.from_file(path), str(path)) for path in candidates]
    return next((each for each in loaded if choice.context in each[0].contexts), loaded[0])


def no_credentials(context: str, error: Exception) -> CliError:
    """The kubeconfig names a user whose credentials cannot be had."""
    return CliError(
        f"The credentials of context {context} cannot be used: {' '.join(str(error).split())[:300]}.",
        "Check the user of that context with `kubectl config view`.",
        ExitCode.UNREACHABLE,
    )

"""`ticketly provision doctor`: what is missing, who holds the lock, what an interrupted update left open.

Looks only. AWS itself is asked through the `aws` program where it is installed; without it those checks are `unknown`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ticketly_cli.errors import CliError
from ticketly_cli.provision import locks, pending, policies, prerequisites, session
from ticketly_cli.provision.failures import EngineError, StackMissingError
from ticketly_cli.provision.pending import PendingOperation
from ticketly_cli.provision.session import Target
from ticketly_cli.provision.views import DoctorResult, Finding

if TYPE_CHECKING:
    from ticketly_cli.provision.engine import Engine

_AWS_TIMEOUT_SECONDS: Final = 30.0
_PROJECT_NAME: Final = "ticketly"
_QUOTAS: Final = (
    ("vpc", "L-0263D0A3", "Elastic IP addresses (one per NAT gateway)", 3),
    ("vpc", "L-F678F1CE", "VPCs per region", 1),
    ("ec2", "L-1216C47A", "vCPUs of standard instances", 16),
)
"""Service, quota code, what it is, and how much of it the larger profile takes."""


def diagnose(target: Target) -> DoctorResult:
    """Every check that can be made; one that needs what an earlier one misses is left out."""
    checks: list[Finding] = []
    binary = _tried(checks, "program", lambda: prerequisites.require_binary(target.environment))
    if binary is not None:
        checks.append(Finding("program", "ok", f"{binary.path} {binary.version_text}"))
    package = _tried(checks, "package", prerequisites.require_package, done="Pulumi's Python package is installed")
    source = _tried(checks, "credentials", lambda: prerequisites.require_credentials(target.environment))
    checks += _identity(target, source)
    project = _tried(checks, "project", lambda: prerequisites.require_project(target.project))
    if project is not None:
        checks.append(Finding("project", "ok", str(project)))
    checks.append(_region(target))
    backend = _tried(checks, "backend", lambda: prerequisites.require_backend(target.backend_url))
    found: tuple[PendingOperation, ...] = ()
    if backend is not None:
        checks += _backend(target, backend)
        checks += _lock(target, backend, str(project or "pulumi"))
        if binary is not None and package is not None and source is not None and project is not None:
            stack_checks, found = _stack(target)
            checks += stack_checks
    checks += _quotas(target, source)
    return DoctorResult(target.stack, target.region, str(project or "pulumi"), tuple(checks), found)


def _tried(checks: list[Finding], name: str, check: Callable[[], Any], done: str = "") -> Any:
    try:
        found = check()
    except CliError as error:
        checks.append(Finding(name, "failed", error.message, error.next_step))
        return None
    if done:
        checks.append(Finding(name, "ok", done))
    return True if found is None else found


def _identity(target: Target, source: str | None) -> Iterator[Finding]:
    if source is None:
        return
    answer = _aws(target, "sts", "get-caller-identity")
    if answer is None:
        step = "Install the AWS command line to have the credentials tried, or run a preview."
        yield Finding("credentials", "unknown", f"from {source}; not tried, `aws` is not installed", step)
    elif "error" in answer:
        step = "Sign in again; `aws sts get-caller-identity` must answer."
        yield Finding("credentials", "failed", f"from {source}; AWS refuses them: {answer['error']}", step)
    else:
        yield Finding("credentials", "ok", f"{answer.get('Arn', '')} from {source}")


def _region(target: Target) -> Finding:
    other = target.environment.get("AWS_REGION") or target.environment.get("AWS_DEFAULT_REGION") or target.region
    if other != target.region:
        return Finding("region", "warning", f"{target.region}; the environment says {other}, which is not used")
    return Finding("region", "ok", target.region)


def _backend(target: Target, backend: str) -> Iterator[Finding]:
    place = urlsplit(backend)
    shown = target.redact()(backend)
    if place.scheme == "s3":
        yield from _bucket(target, place.netloc, shown)
    elif place.scheme == "file":
        yield Finding(
            "backend", "warning", f"{shown}: on this machine only, for trials", "Use an S3 bucket for a team."
        )
    elif place.scheme == "https":
        yield Finding("backend", "ok", f"{shown}: Pulumi's service encrypts the state")
    else:
        yield Finding("backend", "unknown", f"{shown}: its encryption is not checked")


def _bucket(target: Target, bucket: str, shown: str) -> Iterator[Finding]:
    answer = _aws(target, "s3api", "get-bucket-encryption", "--bucket", bucket)
    if answer is None:
        yield Finding("backend", "unknown", f"{shown}: not checked, `aws` is not installed")
        return
    if "error" in answer:
        step = "Make the bucket, or get the right to read its settings (docs/aws/getting-started.md, step 2)."
        yield Finding("backend", "failed", f"{shown}: {answer['error']}", step)
        return
    rules = (answer.get("ServerSideEncryptionConfiguration") or {}).get("Rules") or []
    ways = {str((rule.get("ApplyServerSideEncryptionByDefault") or {}).get("SSEAlgorithm")) for rule in rules}
    if ways & {"aws:kms", "aws:kms:dsse"}:
        yield Finding("backend", "ok", f"{shown}: encrypted with KMS")
    else:
        step = "Encrypt the state bucket with a key of your own (docs/aws/getting-started.md, step 2)."
        yield Finding("backend", "warning", f"{shown}: encrypted with {', '.join(sorted(ways)) or 'nothing'}", step)
    block = _aws(target, "s3api", "get-public-access-block", "--bucket", bucket) or {}
    settings = block.get("PublicAccessBlockConfiguration") or {}
    if len(settings) == 4 and all(settings.values()):
        yield Finding("backend access", "ok", "no public access")
    else:
        yield Finding("backend access", "failed", "the bucket does not block public access", "Block all public access.")
    versioning = (_aws(target, "s3api", "get-bucket-versioning", "--bucket", bucket) or {}).get("Status")
    if versioning != "Enabled":
        yield Finding("backend history", "warning", "the bucket keeps no versions", "Switch versioning on.")


def _lock(target: Target, backend: str, project: str) -> Iterator[Finding]:
    place = urlsplit(backend)
    folder = f".pulumi/locks/organization/{_PROJECT_NAME}/{target.stack}"
    if place.scheme == "file":
        found = [locks.stored(_text(path), str(path)) for path in sorted(Path(place.path, folder).glob("*.json"))]
    elif place.scheme == "s3":
        prefix = "/".join(part for part in (place.path.strip("/"), folder) if part) + "/"
        answer = _aws(target, "s3api", "list-objects-v2", "--bucket", place.netloc, "--prefix", prefix)
        if answer is None or "error" in answer:
            yield Finding("lock", "unknown", "the locks of the backend could not be listed")
            return
        found = [
            locks.Lock("somebody", "", str(one.get("LastModified", "")), f"s3://{place.netloc}/{one.get('Key')}")
            for one in answer.get("Contents") or ()
        ]
    else:
        return
    command = locks.release_command(target.stack, project, target.redact()(backend))
    for lock in found:
        yield Finding("lock", "warning", f"held by {lock} ({lock.file})", f"Wait; if that process is dead: {command}")
    if not found:
        yield Finding("lock", "ok", "nobody holds it")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _stack(target: Target) -> tuple[list[Finding], tuple[PendingOperation, ...]]:
    try:
        engine = session.open_engine(target)
        engine.identity()
        engine.select()
        exported = engine.exported()
    except StackMissingError:
        step = f"It is made by: ticketly provision up --stack {target.stack}"
        return [Finding("stack", "warning", f"{target.stack} does not exist yet", step)], ()
    except EngineError as error:
        refused = session.refused(target, error.output, "read the state")
        return [Finding("stack", "failed", refused.message, "Check --backend and your right to read it.")], ()
    except CliError as error:
        return [Finding("stack", "failed", error.message, error.next_step)], ()
    kept = pending.resources(exported)
    checks = [
        Finding(
            "stack", "ok", f"{target.stack}: {len(kept)} resources, {sum(one.protected for one in kept)} protected"
        ),
        _encryption(exported),
    ]
    found = pending.pending_operations(exported)
    if found:
        step = "Look each of them up in AWS as told below, then run the command below."
        checks.append(Finding("open operations", "failed", f"{len(found)} from an interrupted update", step))
    else:
        checks.append(Finding("open operations", "ok", "none"))
    checks.append(_policies(target, engine))
    return checks, found


def _encryption(exported: Mapping[str, Any]) -> Finding:
    way = pending.secrets_provider(exported)
    if way in {"awskms", "service"}:
        return Finding("secrets in the state", "ok", f"encrypted ({way})")
    step = "Change it: pulumi stack change-secrets-provider awskms://alias/ticketly-state?region=REGION"
    shown = "encrypted with a passphrase" if way == "passphrase" else "the state names no encryption"
    return Finding("secrets in the state", "warning", shown, step)


def _policies(target: Target, engine: Engine) -> Finding:
    """The program checks its own resources, so a preview tells; one that fails for another reason decides nothing."""
    from ticketly_cli.provision.engine import OperationFailedError

    try:
        engine.preview(lambda _step, _ended: None)
    except OperationFailedError as failed:
        broken = policies.violations([*failed.heard.errors, failed.cause.output])
        if broken:
            listed = ", ".join(f"{one.resource} breaks {one.rule}" for one in broken)
            return Finding("policies", "failed", listed, "Change the configuration of the stack or the program.")
        reason = session.explain(target, engine, failed, "preview").message
        return Finding("policies", "unknown", reason, "Mend the preview first.")
    return Finding("policies", "ok", "the preview keeps them")


def _quotas(target: Target, source: str | None) -> Iterator[Finding]:
    if source is None:
        return
    for service, code, what, needed in _QUOTAS:
        answer = _aws(target, "service-quotas", "get-service-quota", "--service-code", service, "--quota-code", code)
        value = ((answer or {}).get("Quota") or {}).get("Value")
        if value is None:
            yield Finding("quota", "unknown", f"{what}: not read; profile prod takes up to {needed}")
        elif value < needed:
            step = f"Ask for more: aws service-quotas request-service-quota-increase --service-code {service}"
            yield Finding("quota", "warning", f"{what}: {value:.0f}, profile prod takes up to {needed}", step)
        else:
            yield Finding("quota", "ok", f"{what}: {value:.0f}")


def _aws(target: Target, *arguments: str) -> dict[str, Any] | None:
    """An answer of AWS; {"error": ...} when it refuses, None when the program is not installed or does not answer."""
    command = ["aws", *arguments, "--region", target.region, "--output", "json"]
    # a variable, since version 1 of the program does not know the option
    environment = {**target.environment, "AWS_PAGER": ""}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_AWS_TIMEOUT_SECONDS, check=False
        )
    except FileNotFoundError:
        return None
    except (OSError, subprocess.TimeoutExpired):
        return {"error": "no answer"}
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["refused"])[-1]
        return {"error": target.redact()(last)}
    try:
        answer = json.loads(done.stdout or "{}")
    except ValueError:
        return {"error": "an answer that is no JSON"}
    return answer if isinstance(answer, dict) else {}

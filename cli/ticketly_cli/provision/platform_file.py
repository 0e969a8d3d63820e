"""From the outputs of a stack to the platform file that fits, and to a script that makes its Secrets. Pure.

The file holds names of Secrets only. The script holds no secret either: it reads each one from Secrets Manager when it
runs and hands it to kubectl over a pipe, so that no secret is written to a file or shown in a list of processes.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.provision.redaction import MASK
from ticketly_crds import spec

PLATFORM_OUTPUT: Final = "platform"
"""Stack output: the part of `.spec` that AWS decides, as it stands in a platform file."""

SOURCES_OUTPUT: Final = "secretSources"
"""Stack output: list of {secretName, key, arn, field}; `field` "" takes the whole value."""

_NAME: Final = re.compile(r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$")
_KEY: Final = re.compile(r"^[-._a-zA-Z0-9]+$")
_ARN: Final = re.compile(r"^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+$")

_SCRIPT_HEAD: Final = """\
#!/bin/sh
# Makes the Secrets that the platform file refers to, from AWS Secrets Manager. Run it again after a rotation.
# Needs aws, python3 and kubectl. It holds no secret and writes none to a file.
set -eu
namespace=NAMESPACE
region=REGION

# fetch ARN: the value as one line of JSON
fetch() {
    aws secretsmanager get-secret-value --region "$region" --secret-id "$1" --query SecretString --output json
}

# lines KEY<tab>FIELD<tab>VALUE in, a Secret out; FIELD "" takes the whole value, else one field of its JSON
build='
import base64, json, sys
data = {}
for line in sys.stdin:
    key, field, value = line.rstrip("\\n").split("\\t", 2)
    text = json.loads(value)
    text = text if field == "" else str(json.loads(text)[field])
    data[key] = base64.b64encode(text.encode()).decode()
metadata = {"name": sys.argv[1], "namespace": sys.argv[2]}
print(json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}))
'

# store NAME: a Secret from such lines
store() {
    python3 -c "$build" "$1" "$namespace" |
        kubectl apply --server-side --force-conflicts --field-manager ticketly-provision -f -
}
"""


@dataclass(frozen=True, slots=True)
class SecretSource:
    """One key of a Kubernetes Secret and where its value comes from."""

    secret: str
    key: str
    arn: str
    field: str = ""


def files(outputs: Mapping[str, Any], path: Path, *, name: str, namespace: str, region: str) -> dict[Path, str]:
    """Path -> content: the platform file, and beside it the script `<name of the file>-secrets.sh`.

    Raises CliError when the outputs do not make a valid platform.
    """
    found = sources(outputs)
    script = path.with_name(f"{path.stem}-secrets.sh")
    return {
        path: platform_text(outputs, name=name, namespace=namespace, script=script.name),
        script: secrets_script(found, namespace=namespace, region=region),
    }


def platform_text(outputs: Mapping[str, Any], *, name: str, namespace: str, script: str) -> str:
    """The platform file; it was loaded as one before it is returned."""
    given = outputs.get(PLATFORM_OUTPUT)
    if not isinstance(given, Mapping):
        raise _unfit(f"there is no output `{PLATFORM_OUTPUT}`; the stack was not provisioned completely")
    if MASK in yaml.safe_dump(dict(given)):
        raise _unfit(f"the output `{PLATFORM_OUTPUT}` holds a secret, and a platform file must not")
    document = {
        "apiVersion": spec.API_VERSION,
        "kind": spec.KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": dict(given),
    }
    text = (
        "# Made from the outputs of the stack. Secrets are referred to by name only:\n"
        f"# {script} makes them in the cluster from AWS Secrets Manager.\n"
    ) + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    try:
        spec.load(text)
    except spec.SpecError as error:
        raise _unfit("; ".join(str(fault) for fault in error.faults)) from None
    return text


def sources(outputs: Mapping[str, Any]) -> tuple[SecretSource, ...]:
    """The secret references of the outputs. Raises CliError for one that is not a reference."""
    found = []
    for entry in outputs.get(SOURCES_OUTPUT) or ():
        source = SecretSource(
            str(entry.get("secretName", "")),
            str(entry.get("key", "")),
            str(entry.get("arn", "")),
            str(entry.get("field", "")),
        )
        if not (_NAME.match(source.secret) and _KEY.match(source.key) and _ARN.match(source.arn)):
            raise _unfit(f"the secret reference of {source.secret or '?'}/{source.key or '?'} is not one")
        found.append(source)
    return tuple(found)


def secrets_script(found: Sequence[SecretSource], *, namespace: str, region: str) -> str:
    """A POSIX script; idempotent. Needs aws, python3 and kubectl, and the right to read these secrets."""
    lines = [_SCRIPT_HEAD.replace("NAMESPACE", shlex.quote(namespace)).replace("REGION", shlex.quote(region))]
    for secret in dict.fromkeys(source.secret for source in found):
        own = [source for source in found if source.secret == secret]
        # one assignment each: with set -e a value that cannot be read ends the script before anything is applied
        lines += [f"value_{number}=$(fetch {shlex.quote(source.arn)})" for number, source in enumerate(own)]
        lines.append("{")
        lines += [
            f"    printf '%s\\t%s\\t%s\\n' {shlex.quote(source.key)} {shlex.quote(source.field)} \"$value_{number}\""
            for number, source in enumerate(own)
        ]
        lines += [f"}} | store {shlex.quote(secret)}", ""]
    return "\n".join(lines)


def _unfit(reason: str) -> CliError:
    return CliError(
        f"The outputs do not make a platform file: {reason}.",
        "Run `ticketly provision up` with this version of the program, then this again.",
        ExitCode.FAILED,
    )

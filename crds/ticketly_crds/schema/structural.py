"""pydantic's JSON schema -> the structural schema that an API server stores: no references, no alternatives.

What changes on the way, and why:

- references are replaced by what they refer to, and `null` as an alternative by `nullable`. Without it the API server
  drops a null of a create, and refuses it in a server-side apply.
- a default of an object is cut down to what the defaults inside it do not say already, mostly to `{}`: the API server
  fills from the outside in, and one number stands in one place. Where a rule stands the default is complete: the API
  server applies the rule to the default as it is written.
- a map with a closed set of keys becomes an object with these fields, a map with a pattern for its keys gets a rule.
- unknown fields are not mentioned: the API server prunes them, or refuses them when a client wants that, as kubectl.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]

RULES: Final = "x-kubernetes-validations"
PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"

_COPIED: Final = (
    "type",
    "format",
    "description",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
)
_TOLERANT: Final = ("type", "format", "description")
_MOST_NAMED: Final = 10
"""So many known values fit into a description."""
_CONTENT: Final = ("properties", "items", "additionalProperties")


def structural(schema: Mapping[str, Any], definitions: Mapping[str, Any], *, tolerant: bool = False) -> Schema:
    """Return the structural schema of a JSON schema whose references lead to ``definitions``.

    ``tolerant`` is for what an operator writes: types and descriptions only, nulls and unknown fields are kept, so that
    an operator of another release is not refused. Raises ValueError for what no structural schema can express.
    """
    flat, nullable = _flat(schema, definitions)
    found: Schema = {key: flat[key] for key in (_TOLERANT if tolerant else _COPIED) if key in flat}
    if "description" in found:
        found["description"] = _prose(found["description"])
    if tolerant and len(flat.get("enum", ())) in range(1, _MOST_NAMED):
        found["description"] += f" Known values: {', '.join(flat['enum'])}."
    if "const" in flat and not tolerant:
        found["enum"] = [flat["const"]]
    _add_content(found, flat, definitions, tolerant=tolerant)
    if nullable:
        found["nullable"] = True
    if tolerant:
        if "properties" in found:
            found[PRESERVE] = True
    elif flat.get("default") is not None:
        found["default"] = compact(flat["default"], found)
        if "description" in found:
            found["description"] += default_note(found["default"])
    return found


def _flat(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> tuple[Schema, bool]:
    """Return the schema without reference and alternatives, and whether null is a value of it."""
    found, nullable = dict(schema), False
    if "anyOf" in found:
        choices = [choice for choice in found.pop("anyOf") if choice != {"type": "null"}]
        if len(choices) != 1:
            raise ValueError(f"a structural schema has no alternatives: {schema}")
        found, nullable = {**choices[0], **found}, True
    if "$ref" in found:
        target = definitions[found.pop("$ref").rpartition("/")[2]]
        found = {**target, **found}
    return found, nullable


def _add_content(found: Schema, flat: Schema, definitions: Mapping[str, Any], *, tolerant: bool) -> None:
    match flat.get("type"):
        case "array":
            found["items"] = structural(flat["items"], definitions, tolerant=tolerant)
        case "object" if "properties" in flat:
            found["properties"] = {
                name: structural(below, definitions, tolerant=tolerant) for name, below in flat["properties"].items()
            }
        case "object" if "patternProperties" in flat:
            ((pattern, below),) = flat["patternProperties"].items()
            found["additionalProperties"] = structural(below, definitions, tolerant=tolerant)
            rule = f"self.all(key, key.matches('{pattern}'))"
            found[RULES] = [{"rule": rule, "message": f"keys must match {pattern}"}]
        case "object" if flat.get("propertyNames", {}).get("enum"):
            below = structural(flat["additionalProperties"], definitions, tolerant=tolerant)
            names = flat["propertyNames"]["enum"]
            found["properties"] = {name: {**below, "description": f"For {name}."} for name in names}
        case "object" if isinstance(flat.get("additionalProperties"), Mapping):
            found["additionalProperties"] = structural(flat["additionalProperties"], definitions, tolerant=tolerant)
        case "string" | "integer" | "number" | "boolean":
            pass
        case kind:
            raise ValueError(f"no structural schema for {kind}: {flat}")


def default_note(default: Any) -> str:
    """Return what is added to a description, as ``kubectl explain`` does not show defaults; empty for what is empty."""
    if default == "" or isinstance(default, dict | list):
        return ""
    return f" Default: {str(default).lower() if isinstance(default, bool) else default}."


def ordered(schema: Schema) -> Schema:
    """Return the same schema for a reader: what is said about a field stands before what is inside it."""
    found = {key: value for key, value in schema.items() if key not in _CONTENT}
    if "properties" in schema:
        found["properties"] = {name: ordered(below) for name, below in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in schema:
            found[key] = ordered(schema[key])
    return found


def compact(default: Any, schema: Schema) -> Any:
    """Return the part of a default that the schema's own defaults would not fill in."""
    if isinstance(default, list):
        return [compact(item, schema["items"]) for item in default]
    if not isinstance(default, dict):
        return default
    known = schema.get("properties")
    if known is None:
        return default
    told = {}
    for name, value in default.items():
        below, cut = known[name], compact(value, known[name])
        if cut != below.get("default") and not (cut is None and "default" not in below):
            told[name] = cut
    return told


def filled(schema: Schema) -> Any:
    """Return what the API server makes of an empty object here: the defaults of the fields, of theirs and so on."""
    return {
        name: filled(below) if below["default"] == {} and "properties" in below else below["default"]
        for name, below in schema["properties"].items()
        if "default" in below
    }


def _prose(text: str) -> str:
    """Return a docstring as one paragraph: code marks become the plain quotes that terminals and editors show."""
    return " ".join(text.split()).replace("``", "`")

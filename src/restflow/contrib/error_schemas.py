"""The schemas of errors, in each form. Read by ``spectacular``."""

from __future__ import annotations

from restflow.exceptions import DRF, ENVELOPE, PROBLEM

_DETAIL = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
}
_INVALID = {
    "type": "object",
    "additionalProperties": {},
    "description": "What is wrong with each field, by its name; with the whole under `non_field_errors`, or `detail`.",
}
_ENVELOPE = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string", "description": "What went wrong, for programs: it doesn't change."},
                "message": {"type": "string", "description": "What went wrong, for people."},
                "details": {
                    "type": "object",
                    "additionalProperties": {},
                    "description": "Of data that are not valid, what is wrong with each field, by its name.",
                },
            },
            "required": ["code", "message", "details"],
        }
    },
    "required": ["error"],
}
_PROBLEM = {
    "type": "object",
    "description": "Problem details, RFC 9457.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "code": {"type": "string", "description": "What went wrong, for programs: it doesn't change."},
        "errors": {
            "type": "array",
            "description": "What is wrong with data that are not valid.",
            "items": {
                "type": "object",
                "properties": {
                    "detail": {"type": "string"},
                    "pointer": {"type": "string", "description": "A JSON pointer into the body, as a URI fragment."},
                    "code": {"type": "string"},
                },
                "required": ["detail", "pointer", "code"],
            },
        },
        "details": {"type": "object", "additionalProperties": {}},
    },
    "required": ["type", "title", "status", "detail", "code"],
}
# By form and status; "" is any other.
SCHEMAS = {
    (DRF, "400"): ("ValidationErrors", _INVALID),
    (DRF, ""): ("ErrorDetail", _DETAIL),
    (ENVELOPE, ""): ("ErrorEnvelope", _ENVELOPE),
    (PROBLEM, ""): ("ProblemDetails", _PROBLEM),
}

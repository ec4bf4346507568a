"""Settings that are secrets: the value itself in the environment, or the place where AWS keeps it.

``NAME_SECRET`` names a secret in Secrets Manager (an ARN or a name), ``NAME_PARAMETER`` a SecureString in the Parameter
Store. A secret that is a JSON object, as the AWS console makes them, is asked for the key ``NAME``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module

from .errors import ConfigurationError


def variables(name: str) -> tuple[str, str, str]:
    """Return the variable, and the two that say where its value is kept."""
    return name, f"{name}_SECRET", f"{name}_PARAMETER"


def is_set(name: str, environ: Mapping[str, str]) -> bool:
    """Return whether the variable, or the place of its value, is set."""
    return any(environ.get(variable) for variable in variables(name))


def read_secret(name: str, environ: Mapping[str, str]) -> str:
    """Return the variable's value, ``""`` if nothing is set. Raises ConfigurationError, which never shows a value."""
    given = [variable for variable in variables(name) if environ.get(variable)]
    if len(given) > 1:
        raise ConfigurationError(f"{' and '.join(given)} are all set; keep one.")
    if not given:
        return ""
    [variable] = given
    if variable == name:
        return environ[name]
    # Loaded by name, like a plug-in: without such a variable, nothing of AWS is imported.
    store = import_module(".aws.secret_store", __package__)
    value: str = store.fetch(variable.removeprefix(f"{name}_"), variable, environ[variable])
    return _of_json(value, name, variable)


def _of_json(value: str, name: str, variable: str) -> str:
    if not value.startswith("{"):
        return value
    try:
        kept = json.loads(value)[name]
    except ValueError:
        return value
    except KeyError:
        kept = None
    if not isinstance(kept, str) or not kept:
        raise ConfigurationError(f"{variable} names a JSON object without the key {name}; add it, or store plain text.")
    return kept

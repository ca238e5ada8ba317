"""YAML as people write it by hand: configurations and manifests, read in bounded time.

Its full language can say what nobody wants in a configuration: lists that grow with every alias to
gigabytes, nesting without end. Neither is taken.
"""

from __future__ import annotations

import yaml

MAX_YAML_BYTES = 1 << 18
MAX_DEPTH = 32
# libyaml where PyYAML was built with it: twenty times as fast, and the same language
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What PyYAML lets out for values that contradict their tag, such as `!!float ""`.
_LOADER_ERRORS = (yaml.YAMLError, AttributeError, LookupError, OverflowError, ValueError)


class PlainYamlError(ValueError):
    """The text is not YAML, or more than plain YAML; the message is one line."""


def read_yaml(text: bytes) -> object:
    """The document: mappings, lists, texts, numbers, dates; None for an empty one.

    Raises PlainYamlError.
    """
    if len(text) > MAX_YAML_BYTES:
        raise PlainYamlError(f"larger than {MAX_YAML_BYTES} bytes")
    try:
        _check(text)
        return yaml.load(text, _Loader)  # a safe loader: only plain values
    except PlainYamlError:
        raise
    except _LOADER_ERRORS as error:
        raise PlainYamlError(f"not valid YAML: {' '.join(str(error).split())}") from error


def _check(text: bytes) -> None:
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            raise PlainYamlError("aliases (`*name`) are not taken: write the value again")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise PlainYamlError(f"nested deeper than {MAX_DEPTH}")

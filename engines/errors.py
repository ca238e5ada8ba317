"""What can go wrong in the codec.

EngineError
├── UnknownEngineError   no network of that name; the message lists the known ones
├── WeightsError         weights missing, damaged or not the ones the manifest names
└── CarrierError         the carrier (H.265) refused its settings or its input
"""


class EngineError(Exception):
    """Base of all errors of the package."""


class UnknownEngineError(EngineError):
    """The engine asked for does not exist."""


class WeightsError(EngineError):
    """Weights or graphs are missing, damaged, or do not match the manifest."""


class CarrierError(EngineError):
    """The carrier could not be opened, or could not encode or decode a picture."""

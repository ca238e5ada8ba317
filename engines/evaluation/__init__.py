"""Measuring: reference clips, quality measures and rate arithmetic. Nothing here runs in a daemon.

    clips (the references) -> measures, perceptual (how good is it) -> rate (BD-rate)

Errors (`engines.errors` holds the rest of the package's tree):

    EngineError
    └── EvaluationError   a clip cannot be read, or the measuring binary failed or is missing
"""

from engines.errors import EngineError


class EvaluationError(EngineError):
    """A reference could not be read, or a measure could not be taken."""

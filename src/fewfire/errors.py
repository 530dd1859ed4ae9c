"""The exceptions that fewfire raises. Each message says what must hold, what was got, what to do."""


class FewfireError(Exception):
    """Base of every error that fewfire raises on purpose."""


class DataError(FewfireError, ValueError):
    """The data cannot be used: unreadable, ragged, not finite, labels that do not fit."""


class TrainingError(FewfireError, ArithmeticError):
    """Training left the finite numbers; the network holds the last good weights."""


class MemoryLimitError(FewfireError, MemoryError):
    """The memory limit cannot be kept; the message says how much is needed."""

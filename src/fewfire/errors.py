"""The exceptions that fewfire raises. Each message says what must hold, what was got, what to do."""


class FewfireError(Exception):
    """Base of every error that fewfire raises on purpose."""


class DataError(FewfireError, ValueError):
    """The data cannot be used: unreadable, ragged, not finite, labels that do not fit."""


class TrainingError(FewfireError, ArithmeticError):
    """Training left the finite numbers; the network holds the last good weights."""


class ExactnessError(TrainingError):
    """An index that claims to be exact did not find what exhaustive search finds: a bug of fewfire."""


class MemoryLimitError(FewfireError, MemoryError):
    """The memory limit cannot be kept; the message says how much is needed."""

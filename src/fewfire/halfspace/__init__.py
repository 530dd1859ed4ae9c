"""Half-space reporting: which of many points lie beyond a plane?"""

from fewfire.halfspace.reporter import HalfspaceReporter, TreeWork

__all__ = ["HalfspaceReporter", "TreeWork"]

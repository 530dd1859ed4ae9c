"""Look at a run and say what it is: exact, limited by what, growing how, in which regime."""

from fewfire.diagnose.conditioning import KernelReport, kernel_report
from fewfire.diagnose.fluctuations import FiniteWidth, finite_width
from fewfire.diagnose.foretold import Foretold
from fewfire.diagnose.lazy_regime import Lazy, LazyPoint, lazy
from fewfire.diagnose.quantum import QuantumCost, quantum_costs
from fewfire.diagnose.regime import Regime
from fewfire.diagnose.representations import RepresentationReport, Represented, representation_report
from fewfire.diagnose.sample_complexity import HierarchicalStudy, SamplePoint, study_hierarchical
from fewfire.diagnose.taylor import TaylorShares, taylor_shares
from fewfire.diagnose.weakly_nonlinear import Evidence, evidence

__all__ = [
    "Evidence",
    "FiniteWidth",
    "Foretold",
    "HierarchicalStudy",
    "KernelReport",
    "Lazy",
    "LazyPoint",
    "QuantumCost",
    "Regime",
    "RepresentationReport",
    "Represented",
    "SamplePoint",
    "TaylorShares",
    "evidence",
    "finite_width",
    "kernel_report",
    "lazy",
    "quantum_costs",
    "representation_report",
    "study_hierarchical",
    "taylor_shares",
]

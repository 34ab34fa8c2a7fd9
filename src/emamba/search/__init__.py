"""Architecture and approximation search: accuracy of the integers against the cost of the hardware."""

from emamba.search.cluster import at_once
from emamba.search.found import Found, row, summary, table
from emamba.search.front import hypervolume, pareto, values
from emamba.search.measures import COSTS, Constraint, constraints
from emamba.search.search import Means, search
from emamba.search.space import Space, load_space, spaces
from emamba.search.study import SAMPLERS, Sampler, Trial

__all__ = [
    "COSTS",
    "SAMPLERS",
    "Constraint",
    "Found",
    "Means",
    "Sampler",
    "Space",
    "Trial",
    "at_once",
    "constraints",
    "hypervolume",
    "load_space",
    "pareto",
    "row",
    "search",
    "spaces",
    "summary",
    "table",
    "values",
]

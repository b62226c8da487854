"""SDMetrics' metrics under their own names: from counts where an exact equal is at hand, else by the library."""

from synthgate.measures.sdmetrics.metrics import UnknownMetricError, find_metric
from synthgate.measures.sdmetrics.named import measure_named

__all__ = ["UnknownMetricError", "find_metric", "measure_named"]

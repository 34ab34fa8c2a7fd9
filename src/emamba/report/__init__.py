"""Results become one self-contained HTML page with pictures, and JSON."""

from emamba.report.page import render, to_json
from emamba.report.results import Results, load_results
from emamba.report.summary import Row, summary

__all__ = ["Results", "Row", "load_results", "render", "summary", "to_json"]
